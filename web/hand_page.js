// Your hand: what was written -> the digit it is and the hand it is in -> ten digits, variations, a number, a file, a link.
// Nothing of it leaves the browser.

import { distanceOf, NEAR, unlike } from './fit.js'
import { sheetOfRealDigits, REAL_PER_DIGIT } from './game.js'
import { Hand, HandError, MAX_BYTES, MAX_DIGITS, SUFFIX } from './hand.js'
import { pad } from './hand_start.js'
import { keepForOffline, load, tell } from './loading.js'
import { SIZE } from './network.js'
import { pixelsFromStrokes } from './normalize.js'
import { PEN } from './pad.js'
import { makePicker } from './picker.js'
import { describe, download, makePicture, showPixels } from './picture.js'
import { MAX_SEED } from './random.js'
import { fetchBank } from './starts.js'
import { startWriting } from './write.js'

const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
const VARIATIONS = 10 // the seeds 0 and on
const PAUSE = 500 // ms after the last stroke: a 4 may have two
const START = { text: '2026', seed: 0 }
const LONGEST = 1000

const element = (id) => document.getElementById(id)

load('write', async (generator, digest, tensors) => {
  const state = stateFromAddress()
  const image = (digit) => generator.network.activations(generator.inHand.z, digit).at(-1)
  let kept = [] // digits that were added: {pixels, label, costs}
  let now = null // what is written or taken now, pixels [784]
  let corrected = null // which digit that is, where a visitor has said it
  let label = null // which digit it is taken for
  let costs = null // of drawing it as each digit (fit.js)
  let timer = 0
  let [busy, waiting] = [false, false] // whether the worker computes, and whether more has come since
  let chosen = 7 // whose variations are shown
  let numbers // the section that writes numbers, once there is a hand

  const finder = new Worker('finder.js', { type: 'module' })
  finder.addEventListener('message', ({ data }) => onFound(data))
  finder.postMessage({ tensors, bank: await fetchBank(digest) })

  const pick = makePicker(element('is'), (picked) => {
    corrected = picked
    find()
  })
  const [own, again] = [makePicture('enlarged', 'your digit'), makePicture('enlarged', 'drawn by the network')]
  element('own').prepend(own)
  element('again').prepend(again)
  const ten = DIGITS.map((digit) => makeDigit(digit))
  element('ten').append(...ten.map(({ button }) => button))
  const near = DIGITS.slice(0, VARIATIONS).map(() => makePicture('enlarged', 'a variation'))
  element('near').append(...near)

  pad.onChange = onPad
  element('add').addEventListener('click', add)
  element('borrow').addEventListener('click', borrow)
  element('open').addEventListener('change', open)
  element('download').addEventListener('click', async () => {
    const hand = generator.inHand
    download(new Blob([await hand.toFile()], { type: 'application/json' }), `${await hand.name()}${SUFFIX}`)
  })
  element('link').addEventListener('click', copyLink)
  element('borrow').disabled = element('open').disabled = false
  if (state.hand) use(state.hand)
  if (pad.strokes.length) onPad(pad.strokes, false)
  keepForOffline()

  // From the square to the hand

  function onPad(strokes, writing) {
    clearTimeout(timer)
    now = null
    waiting = busy // what is being found is overtaken
    if (!strokes.length) {
      corrected = null
      showReading()
      return
    }
    if (!writing) timer = setTimeout(() => take(pixelsFromStrokes(strokes, PEN), 'yours, as MNIST has digits'), PAUSE)
  }

  function take(pixels, caption) {
    now = pixels
    element('own-caption').textContent = caption
    find()
  }

  function find() {
    waiting = busy
    element('said').textContent = ''
    if (busy || !(now || kept.length)) return
    busy = true
    element('finding').hidden = false
    element('finding').firstElementChild.value = 0
    finder.postMessage(now ? { digits: [...kept, { pixels: now }], last: corrected } : { digits: kept, last: kept.at(-1).label })
  }

  function onFound(found) {
    if ('share' in found) element('finding').firstElementChild.value = found.share
    if ('label' in found && now && !waiting) {
      label = chosen = found.label
      costs = found.costs
      pick(label)
    }
    if (!('z' in found)) return
    busy = false
    element('finding').hidden = true
    if (waiting) {
      find()
      return
    }
    use(Hand.nearest(found.z, digest))
    showReading()
    element('said').textContent = now ? `Read as ${label}. Your ten digits are below.` : 'Your ten digits are below.'
  }

  function add() {
    kept = [...kept, { pixels: now, label, costs }]
    pad.clear()
    showKept()
  }

  function showKept() {
    element('kept').replaceChildren(
      ...kept.map((digit) => {
        const button = document.createElement('button')
        const picture = makePicture('enlarged')
        showPixels(picture, digit.pixels)
        button.type = 'button'
        button.className = 'picture'
        button.append(picture)
        button.setAttribute('aria-label', `Take your ${digit.label} away`)
        button.addEventListener('click', () => {
          kept = kept.filter((each) => each !== digit)
          showKept()
          find()
        })
        return button
      }),
    )
    element('so-far').hidden = !kept.length
  }

  // The digit and what the network makes of it, if there is one now.
  function showReading() {
    const there = now !== null && label !== null
    element('reading').hidden = !there
    element('nothing').hidden = there
    element('add').disabled = !there || kept.length + 1 >= MAX_DIGITS
    if (!there || !generator.inHand) return
    showPixels(own, now)
    showPixels(again, generator.finished(image(label), label, kept.length))
    describe(own, `your ${label}`)
    describe(again, `the ${label}, drawn again by the network`)
    const digits = [...kept, { pixels: now, label, costs }]
    const isFar = (digit) => unlike(digit.costs, digit.label) || distanceOf(image(digit.label), digit.pixels) > NEAR
    const far = new Set(digits.filter(isFar).map((digit) => digit.label))
    element('far').hidden = !far.size
    element('far').textContent = far.size
      ? `The network cannot draw your ${[...far].sort().join(' and ')} well, or it looks like another digit. ` +
        'Check which digit it is, or write it again.'
      : ''
  }

  // The next of the real digits that the game shows: for those who have no pen, and to see other hands.
  async function borrow() {
    const sheet = await sheetOfRealDigits()
    if (!sheet) {
      element('done').textContent = 'The real digits are missing beside this page.'
      return
    }
    const turn = Number(element('borrow').dataset.turn ?? 0)
    element('borrow').dataset.turn = turn + 1
    const context = makePicture('').getContext('2d')
    context.drawImage(sheet, -SIZE * (Math.floor(turn / 10) % REAL_PER_DIGIT), -SIZE * ((4 + turn) % 10))
    const { data } = context.getImageData(0, 0, SIZE, SIZE)
    pad.clear()
    take(Uint8ClampedArray.from({ length: SIZE * SIZE }, (_, i) => data[4 * i]), 'a real digit, from MNIST')
  }

  // What the hand writes

  function use(hand) {
    try {
      hand.checkWeights(digest)
    } catch (error) {
      if (!(error instanceof HandError)) throw error
      tell(error.message)
      return
    }
    element('problem').hidden = true
    generator.inHand = hand
    for (const section of document.querySelectorAll('.of-hand')) section.hidden = false
    ten.forEach(({ picture }, digit) => showPixels(picture, generator.pixels(hand.z, digit, 0)))
    showNear()
    if (numbers) numbers.redraw()
    else numbers = startWriting(generator, { text: state.text, hand: state.seed }, remember)
    remember()
    hand.name().then((name) => {
      if (generator.inHand !== hand) return
      for (const each of document.querySelectorAll('.name')) each.textContent = name
    })
  }

  function showNear() {
    ten.forEach(({ button }, digit) => button.setAttribute('aria-pressed', digit === chosen))
    element('near-title').textContent = `Variations of your ${chosen}`
    near.forEach((picture, seed) => {
      showPixels(picture, generator.pixels(generator.latents(seed, chosen), chosen, seed))
      describe(picture, `a ${chosen} near your hand, variation ${seed}`)
    })
  }

  function makeDigit(digit) {
    const button = document.createElement('button')
    const picture = makePicture('enlarged')
    button.type = 'button'
    button.className = 'picture'
    button.setAttribute('aria-label', `${digit}, in your hand: show its variations`)
    button.append(picture)
    button.addEventListener('click', () => {
      chosen = digit
      showNear()
    })
    return { button, picture }
  }

  // To keep it

  function remember(written) {
    if (written) Object.assign(state, { text: written.text, seed: written.hand })
    const rest = [state.text !== START.text && `&text=${encodeURIComponent(state.text)}`, state.seed && `&seed=${state.seed}`]
    history.replaceState(null, '', `?hand=${generator.inHand.text}${rest.filter(Boolean).join('')}${location.hash}`)
    element('done').textContent = ''
  }

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(location.href.replace(location.hash, ''))
      element('done').textContent = 'Link copied.'
    } catch {
      element('done').textContent = 'Copying failed: the address of this page is the link.'
    }
  }

  async function open() {
    const [file] = element('open').files
    element('open').value = '' // the same file may come again
    if (!file) return
    try {
      if (file.size > MAX_BYTES) throw new HandError('It is no hand file of this program.')
      use(Hand.fromFile(await file.text()))
    } catch (error) {
      if (!(error instanceof HandError)) throw error
      tell(`${file.name} cannot be used: ${error.message[0].toLowerCase()}${error.message.slice(1)}`)
    }
  }
})

// {hand or null, text, seed} of the address; what it has that cannot be is told.
function stateFromAddress() {
  const asked = new URLSearchParams(location.search)
  const state = { hand: null, ...START, text: (asked.get('text') ?? START.text).slice(0, LONGEST) }
  const [text, seed] = ['hand', 'seed'].map((name) => asked.get(name))
  const faults = []
  if (text !== null) {
    try {
      state.hand = Hand.fromText(text)
    } catch {
      faults.push(`hand=${text.slice(0, 20)} (expected: the 143 characters of a hand)`)
    }
  }
  if (seed !== null) {
    if (/^\d{1,10}$/.test(seed) && Number(seed) <= MAX_SEED) state.seed = Number(seed)
    else faults.push(`seed=${seed.slice(0, 20)} (expected: a whole number from 0 to ${MAX_SEED})`)
  }
  if (faults.length) tell(`This link asks for ${faults.join('; ')}. Showing the defaults for the invalid values.`)
  return state
}
