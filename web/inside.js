// z as a hundred bars that can be dragged, and the output of every layer.

import { finishedPixels, scanFromPixels } from './finish.js'
import { pixelsFromImage, SIZE } from './network.js'
import { makePicker } from './picker.js'
import { makePicture, showPixels } from './picture.js'
import { LATENT_SIZE, latentsFromSeed } from './random.js'

const LIMIT = 3 // length of the bars: three in a thousand numbers of N(0, 1) lie beyond
const STEP = 0.1 // change per key press
const STRIP = 64 // numbers per row of a layer's picture, except:
const COLUMNS = { 200: 50, 784: 28 } // two rows for z and two for the digit; the picture itself

// For each layer: how many numbers it outputs, a title and one sentence.
const LAYERS = [
  [200, 'Input', 'The hundred numbers of z say how to write; a hundred learned numbers after them say which digit.'],
  [
    256,
    'Layer 1',
    'Each of 256 units adds up all 200 numbers, each times its own weight, and scales negative sums down to a fifth.',
  ],
  [
    512,
    'Layer 2',
    '512 units do the same with those 256 numbers, so that z can have a different effect for each digit.',
  ],
  [1024, 'Layer 3', '1,024 units do the same once more: each turns its own pattern of ink up or down.'],
  [
    784,
    'Layer 4',
    'It adds up those 1,024 patterns, and tanh squeezes the sum at each of the 784 pixels to between black and white.',
  ],
]

// For each stage of the finish: a title and one sentence.
const STAGES = [
  ['1. Raw', 'The network’s own pixels: the greys are smooth and a little blurred.'],
  [
    '2. Scan',
    'Enlarged and made black and white at half ink, with a slightly rough outline, like the scans that MNIST was made from.',
  ],
  [
    '3. Finished',
    'MNIST’s own rule makes the greys: the scan is averaged down to 20×20 pixels and placed with its centre of mass in the middle of 28×28.',
  ],
]

const element = (id) => document.getElementById(id)

/** Start the section `inside`. Call `follow(digit, z, seed)` to show the large picture of the first section. */
export function startInside(generator) {
  let digit = 0
  let drawn = new Float64Array(LATENT_SIZE) // z of the picture above
  let z = drawn.slice()
  let chance = 0 // the seed of the picture above, kept when z changes, so that the outline does not flicker
  let chosen = 0 // index of the bar that the keys change
  let frame = 0

  const area = element('bars')
  const bars = Array.from(z, () => document.createElement('i'))
  area.append(...bars)
  area.setAttribute('aria-valuemin', -LIMIT)
  area.setAttribute('aria-valuemax', LIMIT)
  const answer = makePicture('answer', 'the digit made from these numbers')
  element('answer').append(answer)
  const strips = LAYERS.map((layer) => makeStrip(...layer))
  const stages = STAGES.map((stage) => makeStage(...stage))
  const pick = makePicker(element('inside-digit'), (picked) => {
    digit = picked
    later()
  })

  area.addEventListener('pointerdown', (event) => {
    area.setPointerCapture(event.pointerId)
    drag(event, event)
  })
  let before
  area.addEventListener('pointermove', (event) => area.hasPointerCapture(event.pointerId) && drag(before, event))
  area.addEventListener('keydown', onKey)
  element('as-drawn').addEventListener('click', () => replace(drawn))
  element('zeros').addEventListener('click', () => replace(new Float64Array(LATENT_SIZE)))
  element('dice').addEventListener('click', () => replace(latentsFromSeed(Math.floor(Math.random() * 1e6))))

  return {
    follow(newDigit, newZ, seed) {
      digit = newDigit
      drawn = newZ
      chance = seed
      pick(digit)
      replace(drawn)
    },
  }

  function replace(numbers) {
    z = numbers.slice()
    later()
  }

  function later() {
    frame ||= requestAnimationFrame(show)
  }

  function show() {
    frame = 0
    bars.forEach((bar, index) => {
      bar.style.setProperty('--value', Math.max(-1, Math.min(1, z[index] / LIMIT)))
      bar.classList.toggle('chosen', index === chosen)
    })
    const said = `number ${chosen + 1} is ${z[chosen].toFixed(2)}`
    area.setAttribute('aria-valuenow', z[chosen].toFixed(2))
    area.setAttribute('aria-valuetext', said)
    element('bar').textContent = said
    const activations = generator.network.activations(z, digit)
    activations.forEach((numbers, index) => strips[index](numbers))
    showPixels(answer, generator.finished(activations.at(-1), digit, chance, false))
    const raw = pixelsFromImage(activations.at(-1))
    const { scan, size } = scanFromPixels(raw, digit, chance)
    stages[0](raw)
    stages[1](Uint8ClampedArray.from(scan, (ink) => 255 * ink), size)
    stages[2](finishedPixels(raw, digit, chance))
  }

  // Set the bar under the pointer, and the bars that the pointer has passed since the last event.
  function drag(from, to) {
    const [first, last] = [placeOf(from), placeOf(to)]
    const steps = Math.max(1, Math.abs(last.index - first.index))
    for (let step = 0; step <= steps; step++) {
      const share = step / steps
      const index = Math.round(first.index + share * (last.index - first.index))
      z[index] = first.value + share * (last.value - first.value)
    }
    chosen = last.index
    before = to
    later()
  }

  // The bar and the value at the pointer. The style sheet decides in how many rows the bars stand.
  function placeOf({ clientX, clientY }) {
    const { left, top, width, height } = bars[0].getBoundingClientRect()
    const columns = Math.round(area.clientWidth / width)
    const rows = LATENT_SIZE / columns
    const row = clamp(Math.floor((clientY - top) / height), 0, rows - 1)
    const column = clamp(Math.floor((clientX - left) / width), 0, columns - 1)
    const share = (clientY - top - row * height) / height
    return { index: row * columns + column, value: clamp((1 - 2 * share) * LIMIT, -LIMIT, LIMIT) }
  }

  function onKey(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -LATENT_SIZE, End: LATENT_SIZE }
    const changes = { ArrowUp: STEP, ArrowDown: -STEP, PageUp: 10 * STEP, PageDown: -10 * STEP }
    if (event.key in moves) chosen = clamp(chosen + moves[event.key], 0, LATENT_SIZE - 1)
    else if (event.key in changes) z[chosen] = clamp(z[chosen] + changes[event.key], -LIMIT, LIMIT)
    else return
    event.preventDefault()
    later()
  }
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value))
}

// A strip with one grey square for each number that a layer outputs. Returns the function that fills it.
function makeStrip(count, title, sentence) {
  const columns = COLUMNS[count] ?? STRIP
  const canvas = makePicture('strip')
  canvas.width = columns
  canvas.height = count / columns
  canvas.style.setProperty('--columns', columns)
  element('layers').append(itemOf(`${title}: ${count.toLocaleString('en')} numbers`, sentence, canvas))
  return (numbers) => {
    const spread = Math.sqrt(numbers.reduce((sum, number) => sum + number ** 2, 1e-9) / count)
    const brightness = (number) => (255 * number) / (3 * spread)
    showPixels(canvas, count === 784 ? pixelsFromImage(numbers) : Uint8ClampedArray.from(numbers, brightness))
  }
}

// A stage of the finish. Returns the function that shows its `size` by `size` pixels.
function makeStage(title, sentence) {
  const canvas = makePicture('stage')
  element('stages').append(itemOf(title, sentence, canvas))
  return (pixels, size = SIZE) => {
    canvas.width = canvas.height = size
    showPixels(canvas, pixels)
  }
}

function itemOf(title, sentence, canvas) {
  const [heading, text, words, item] = ['h4', 'p', 'div', 'li'].map((tag) => document.createElement(tag))
  heading.textContent = title
  text.textContent = sentence
  words.append(heading, text)
  item.append(words, canvas)
  return item
}
