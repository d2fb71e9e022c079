// The section Write a number: a typed text in one hand, in as many rows as it needs.

import { faultOf, writeNumber } from './number.js'
import { download, showPixels } from './picture.js'
import { pngFromPixels } from './png.js'
import { SIGNS } from './signs.js'

const NEW_SEEDS = 1_000_000
// What a screen reader says for each of SIGNS.
const NAMES = ['point', 'comma', 'minus', 'colon', 'slash', 'plus', 'euro', 'dollar', 'pound', 'percent']
NAMES.push('opening bracket', 'closing bracket')
const PATIENCE = 300 // ms before the bar is shown

const element = (id) => document.getElementById(id)

/**
 * Start the section with {text, hand: its seed}. onWritten({text, hand}) is called with what is shown. Returns {redraw}, for
 * when what draws has changed. In a person's hand, `hand` decides how it varies.
 */
export function startWriting(generator, { text, hand }, onWritten) {
  let line // what is shown: {text, hand, width, height, pixels, boxes, name of the person's hand}
  let turn = 0 // counted up with every change: a line that is overtaken is not shown

  element('text').value = text
  element('text').addEventListener('input', write)
  element('new-hand').addEventListener('click', () => {
    hand = Math.floor(Math.random() * NEW_SEEDS)
    write()
  })
  element('signs').append(...[...SIGNS].map((sign, i) => makeKey(sign, NAMES[i], write)))
  element('line-png').addEventListener('click', async () =>
    download(await pngFromPixels(line.pixels, 1, line.width), `${stemOf(line.text)}_seed_${line.hand}${variant()}.png`),
  )
  // Not before a visitor comes here: a line takes longer than five pictures.
  const seen = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return
    seen.disconnect()
    write()
  })
  seen.observe(element('number'))
  return { redraw: () => line && write() }

  async function write() {
    const asked = { text: element('text').value, hand }
    const fault = faultOf(asked.text)
    element('text').setAttribute('aria-invalid', fault !== '')
    element('fault').textContent = fault
    if (fault) return // the last line stays
    const mine = ++turn
    const patience = setTimeout(() => (element('writing').hidden = false), PATIENCE)
    const written = await writeNumber(generator, asked.text, asked.hand, (share) => {
      element('writing').firstElementChild.value = share
      return mine === turn
    })
    const name = await generator.inHand?.name()
    clearTimeout(patience)
    if (mine !== turn) return
    element('writing').hidden = true
    line = { ...asked, ...written, name }
    show()
  }

  function show() {
    element('line').setAttribute('aria-label', `${line.text}, handwritten-style`)
    element('line').replaceChildren(...slicesOf(line))
    element('line-original').replaceChildren(...slicesOf(line))
    const whose = line.name ? `Your hand, variation ${line.hand}` : `The hand of seed ${line.hand}`
    element('line-caption').textContent =
      `${whose}, enlarged and at its original size of ${line.width}×${line.height} pixels.`
    const own = line.name ? ` --hand ${line.name}.hand` : ''
    const options = `${own}${generator.raw ? ' --raw' : ''}${generator.neat ? ` --neat ${generator.neat}` : ''}`
    element('line-command').textContent =
      `python -m digit_generator number --seed ${line.hand}${options} -- ${quoted(line.text)}`
    element('shown-line').hidden = false
    onWritten({ text: line.text, hand: line.hand })
  }

  function variant() {
    return `${generator.neat ? `_neat_${generator.neat}` : ''}${line.name ? `_hand_${line.name}` : ''}${generator.raw ? '_raw' : ''}`
  }
}

function makeKey(sign, name, write) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = sign
  button.setAttribute('aria-label', name)
  button.addEventListener('click', () => {
    const field = element('text')
    field.setRangeText(sign, field.selectionStart, field.selectionEnd, 'end')
    write()
  })
  return button
}

// The line cut between its characters, so that it can wrap anywhere: a canvas for each, spaces with the one before.
function slicesOf({ width, height, pixels, boxes }) {
  const inked = boxes.filter(Boolean)
  const cuts = inked.slice(1).map(([left], i) => Math.floor((inked[i][2] + left) / 2))
  return [0, ...cuts].map((from, i) => {
    const to = cuts[i] ?? width
    const canvas = document.createElement('canvas')
    canvas.width = to - from
    canvas.height = height
    canvas.style.setProperty('--columns', to - from)
    const slice = new Uint8ClampedArray((to - from) * height)
    for (let row = 0; row < height; row++) slice.set(pixels.subarray(row * width + from, row * width + to), row * (to - from))
    showPixels(canvas, slice)
    return canvas
  })
}

// As digit_generator/recipe.py names files, but a very long text without its digest.
function stemOf(text) {
  if (new TextEncoder().encode(text).length > 120) return `number_${text.length}_characters`
  const stem = text.replaceAll('/', '_').replaceAll(':', '=').replaceAll(' ', '~')
  return stem.startsWith('.') ? `number_${stem}` : stem
}

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text}'` // no text has a quote
}
