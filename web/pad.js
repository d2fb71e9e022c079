// The square to write in, with a finger, a pen or a mouse.

/** The width of the pen, as a share of the square: a digit that fills it is as thick as MNIST's are. */
export const PEN = 0.085

const element = (id) => document.getElementById(id)

/** The square, its strokes, Undo and Clear. */
export class Pad {
  #canvas = element('pad')
  #strokes = [] // each of [x, y], 0...1 of the square
  #pointer = null // that writes now

  constructor() {
    /** Called with the strokes when a stroke begins and when the ink has changed: onChange(strokes, writing). */
    this.onChange = () => {}
    const canvas = this.#canvas
    canvas.addEventListener('pointerdown', (event) => this.#begin(event))
    canvas.addEventListener('pointermove', (event) => this.#goOn(event))
    for (const type of ['pointerup', 'pointercancel']) canvas.addEventListener(type, (event) => this.#end(event))
    canvas.addEventListener('touchstart', (event) => event.preventDefault(), { passive: false }) // no scrolling, in old Safari
    element('undo').addEventListener('click', () => this.undo())
    element('clear').addEventListener('click', () => this.clear())
    addEventListener('keydown', (event) => {
      if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.target.closest('input')) return
      event.preventDefault()
      this.undo()
    })
    new ResizeObserver(() => this.#draw()).observe(canvas)
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      matchMedia(query).addEventListener('change', () => this.#draw())
    }
  }

  get strokes() {
    return this.#strokes
  }

  /** Take the last stroke away. */
  undo() {
    this.#change(this.#strokes.slice(0, -1))
  }

  clear() {
    this.#change([])
  }

  #change(strokes) {
    this.#pointer = null
    this.#strokes = strokes
    this.#draw()
    this.onChange(strokes, false)
  }

  #begin(event) {
    if (this.#pointer !== null || event.button > 0) return
    this.#pointer = event.pointerId
    this.#canvas.setPointerCapture(event.pointerId)
    this.#strokes = [...this.#strokes, [this.#placeOf(event)]]
    this.#draw()
    this.onChange(this.#strokes, true)
  }

  #goOn(event) {
    if (event.pointerId !== this.#pointer) return
    // All places since the last frame, where the browser tells them: a quick stroke stays round.
    const events = event.getCoalescedEvents?.() ?? []
    this.#strokes.at(-1).push(...(events.length ? events : [event]).map((each) => this.#placeOf(each)))
    this.#draw()
  }

  #end(event) {
    if (event.pointerId !== this.#pointer) return
    this.#pointer = null
    this.onChange(this.#strokes, false)
  }

  #placeOf({ clientX, clientY }) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect()
    return [(clientX - left) / width, (clientY - top) / height]
  }

  #draw() {
    const canvas = this.#canvas
    const side = Math.round(canvas.clientWidth * devicePixelRatio)
    if (canvas.width !== side) canvas.width = canvas.height = side
    const context = canvas.getContext('2d')
    context.clearRect(0, 0, side, side)
    context.strokeStyle = getComputedStyle(canvas).color
    context.lineWidth = PEN * side
    context.lineCap = context.lineJoin = 'round'
    for (const stroke of this.#strokes) {
      context.beginPath()
      context.moveTo(...stroke[0].map((part) => part * side))
      for (const point of stroke) context.lineTo(...point.map((part) => part * side))
      context.stroke()
    }
    for (const id of ['undo', 'clear']) element(id).disabled = !this.#strokes.length
    element('write-here').hidden = this.#strokes.length > 0
  }
}
