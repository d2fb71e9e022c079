// A square to write in, with undo and clear. Lines of whole numbers from 0 to data.side go to the server when the pen has
// rested for a moment. They are kept here, so that what comes from the server cannot disturb who is writing.

const REST = 700 // milliseconds
const NEAR = 4 // of data.side: a point nearer to the last one is left out

export default function ({ data, parentElement, setStateValue }) {
  let root = parentElement.querySelector('.pen')
  if (root) return void (root.setStateValue = setStateValue)
  root = document.createElement('div')
  root.className = 'pen'
  root.innerHTML = `
    <canvas role=img></canvas>
    <p class=actions>
      <button type=button data-do=undo>Undo</button>
      <button type=button data-do=clear>Clear</button>
    </p>`
  root.setStateValue = setStateValue
  parentElement.append(root)
  const canvas = root.querySelector('canvas')
  const [undo, clear] = root.querySelectorAll('button')
  let lines = data.lines.map((line) => line.map((point) => [...point]))
  let pointer = null
  let resting

  canvas.addEventListener('pointerdown', (event) => {
    if (pointer !== null || event.button !== 0) return // one pen at a time: a palm beside it writes nothing
    event.preventDefault()
    pointer = event.pointerId
    canvas.setPointerCapture(pointer)
    clearTimeout(resting)
    lines.push([])
    add(event)
  })
  canvas.addEventListener('pointermove', (event) => {
    if (event.pointerId !== pointer) return
    const passed = event.getCoalescedEvents?.() ?? []
    for (const each of passed.length ? passed : [event]) add(each)
  })
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return
      pointer = null
      resting = setTimeout(send, REST)
      show()
    })
  }
  undo.addEventListener('click', () => change(lines.slice(0, -1)))
  clear.addEventListener('click', () => change([]))
  root.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'z' && lines.length) change(lines.slice(0, -1))
  })
  new ResizeObserver(show).observe(canvas)
  show()

  function add(event) {
    const box = canvas.getBoundingClientRect()
    const place = (at, start, length) => Math.round(Math.min(Math.max((at - start) / length, 0), 1) * data.side)
    const [x, y] = [place(event.clientX, box.left, box.width), place(event.clientY, box.top, box.height)]
    const line = lines.at(-1)
    const last = line.at(-1)
    if (last && Math.hypot(x - last[0], y - last[1]) < NEAR) return
    if (lines.reduce((sum, each) => sum + each.length, 0) >= data.most) return
    line.push([x, y])
    show()
  }

  function change(kept) {
    lines = kept
    clearTimeout(resting)
    show()
    send()
  }

  function send() {
    lines = lines.filter((line) => line.length)
    root.setStateValue('lines', lines)
  }

  function show() {
    const side = Math.round(canvas.clientWidth * devicePixelRatio)
    if (side && canvas.width !== side) canvas.width = canvas.height = side
    const context = canvas.getContext('2d')
    const scale = canvas.width / data.side
    context.fillStyle = '#000'
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.strokeStyle = '#fff'
    context.lineWidth = data.width * scale
    context.lineCap = context.lineJoin = 'round'
    for (const line of lines) {
      context.beginPath()
      for (const [x, y] of line) context.lineTo(x * scale, y * scale)
      if (line.length === 1) context.lineTo(line[0][0] * scale, line[0][1] * scale)
      context.stroke()
    }
    root.toggleAttribute('data-empty', !lines.length)
    undo.disabled = clear.disabled = !lines.length
    const told = lines.length ? `, with ${lines.length} line${lines.length > 1 ? 's' : ''} in it` : ''
    canvas.setAttribute('aria-label', `Square to write a digit in by finger, pen or mouse${told}`)
  }
}
