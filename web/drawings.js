// Five pictures of a digit, one of them large, the morph from each to the next, and the ten digits of one hand.

import { COUNT, NEATEST, placed, showInAddress, stateFromAddress } from './address.js'
import { startBefore } from './before.js'
import { startFiles } from './files.js'
import { startNeat } from './neat.js'
import { latentsBetween } from './morph.js'
import { makePicker } from './picker.js'
import { describe, makePicture, showPicture, showPixels } from './picture.js'
import { MAX_SEED } from './random.js'

const DIGITS = Array.from({ length: 10 }, (_, digit) => digit)
const NEW_SEEDS = 999_996 // six figures at most, to fit under a picture
const SIBLINGS_PER_FRAME = 2 // the ten digits are redrawn in turn, so that each frame stays short

const element = (id) => document.getElementById(id)

/**
 * Show `state` (see address.js). `onShown(digit, z, seed)` is called when another picture is large and the slider rests,
 * `onVariant()` when it draws in another way, raw or neater.
 */
export function startDrawings(generator, state, { onShown, onVariant }) {
  let { digit, seed, at, ink } = state
  let pixels // of the large picture
  let set // the five pictures: see before.js
  // While the slider moves, pictures are finished in place and with the random choices of one seed, so nothing jumps.
  let moving = false
  let frame = 0 // the animation frame that the slider waits for, or 0
  let siblingsFrame = 0 // the one that the ten digits wait for
  let stale = [] // digits whose small picture does not show the current z yet

  const pick = makePicker(element('digit'), (picked) => change({ digit: picked }))
  const five = DIGITS.slice(0, COUNT).map((index) => makeOfFive(index))
  const large = makePicture('large', 'picture')
  const ten = DIGITS.map((sibling) => makeSibling(sibling))
  element('five').replaceChildren(...five.map((picture) => picture.item))
  element('large').append(large)
  element('ten').append(...ten.map((picture) => picture.button))

  const showNeat = startNeat(generator.choice, (neat) => change({ neat }))
  const keep = startBefore((kept) => change(kept.state))
  const unsay = startFiles(() => ({ pixels, name: name(), stem: stem(), ink }))
  element('again').addEventListener('click', generate)
  for (const id of ['ink', 'raw']) {
    element(id).addEventListener('change', () => change({ [id]: element(id).checked }))
  }
  element('seed').addEventListener('change', () => changeSeed(element('seed')))
  element('at').addEventListener('input', () => {
    at = Number(element('at').value)
    frame ||= requestAnimationFrame(follow)
  })
  element('at').addEventListener('change', rest)
  addEventListener('keydown', onKey)
  addEventListener('popstate', () => change(stateFromAddress(location.search).state))
  change({})

  function generate() {
    change({ seed: Math.floor(Math.random() * NEW_SEEDS), at: 0 })
  }

  function change(to) {
    const wasRaw = generator.raw
    const { neat } = generator
    ;({ digit, seed, at, ink, neat: generator.neat, raw: generator.raw } = { digit, seed, at, ink, neat, raw: wasRaw, ...to })
    if (generator.raw !== wasRaw || generator.neat !== neat) onVariant()
    pick(digit)
    showNeat(generator.neat)
    element('ink').checked = ink
    element('raw').checked = generator.raw
    element('seed').value = seed
    element('seed').setCustomValidity('')
    element('at').value = at
    const pictures = five.map((_, index) => generator.pixels(latentsAt(index), digit, seed + index))
    five.forEach((picture, index) => {
      showPicture(picture.enlarged, pictures[index], ink)
      showPixels(picture.original, pictures[index])
      picture.caption.textContent = `seed ${seed + index}`
      picture.button.setAttribute('aria-label', `${digit}, seed ${seed + index}: show large`)
    })
    const before = set
    set = {
      name: `${digit}, seeds ${seed} to ${seed + COUNT - 1}${mark()}`,
      state: { digit, seed, at: 0, ...variant() },
      pictures,
    }
    if (before && before.name !== set.name) keep(before, set)
    rest()
  }

  // Keys 0 to 9 pick a digit, Space and Enter generate, unless they mean something where the focus is.
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const focus = event.target.closest('a, button, input, summary, [role=slider]')
    const typing = focus?.matches('input:not([type=radio], [type=checkbox], [type=range])')
    if (/^[0-9]$/.test(event.key) && !typing) change({ digit: Number(event.key) })
    else if ((event.key === ' ' || event.key === 'Enter') && (!focus || focus.matches('#digit input'))) generate()
    else return
    event.preventDefault()
  }

  // A frame of the slider's movement.
  function follow() {
    frame = 0
    moving = true
    showLarge(latentsAt(at))
    if (!stale.length) showSiblings(DIGITS)
  }

  // The slider rests: update everything to the picture that is shown.
  function rest() {
    cancelAnimationFrame(frame)
    frame = 0
    moving = !Number.isInteger(at)
    const z = latentsAt(at)
    showLarge(z)
    showSiblings(DIGITS)
    element('shown').textContent = name()
    element('again-by-command').hidden = moving
    const { raw, neat } = generator
    const options = `${raw ? ' --raw' : ''}${generator.choice ? '' : ' --every-z'}${neat ? ` --neat ${neat}` : ''}`
    element('command').textContent = `python -m digit_generator generate ${digit} --count 1 --seed ${seed + at}${options}`
    unsay()
    showInAddress({ digit, seed, at, ink, ...variant() })
    onShown(digit, z, chance())
  }

  function showLarge(z) {
    pixels = generator.pixels(z, digit, chance(), !moving)
    showPicture(large, pixels, ink)
    describe(large, `handwritten-style ${name()}`)
    element('at').setAttribute('aria-valuetext', name())
    five.forEach(({ button }, index) => button.setAttribute('aria-pressed', index === at))
  }

  // Redraw some of the ten digits, a few per frame from the next frame on.
  function showSiblings(siblings) {
    stale = [...siblings]
    siblingsFrame ||= requestAnimationFrame(() => {
      siblingsFrame = 0
      const z = between(at, (index) => generator.handLatents(seed + index))
      for (const sibling of stale.splice(0, SIBLINGS_PER_FRAME)) {
        showPicture(ten[sibling].canvas, generator.pixels(z, sibling, chance(), !moving), ink)
        ten[sibling].button.setAttribute('aria-pressed', sibling === digit)
      }
      if (stale.length) showSiblings(stale)
    })
  }

  // The seed for the random choices of the finish: the same one during a whole movement.
  function chance() {
    return moving ? seed : seed + at
  }

  function latentsAt(place) {
    return between(place, (index) => generator.latents(seed + index, digit))
  }

  function name() {
    const index = Math.floor(at)
    if (index === at) return `${digit}, seed ${seed + at}${mark()}`
    return `${digit}, ${Math.round((at - index) * 100)} % of the way from seed ${seed + index} to ${seed + index + 1}${mark()}`
  }

  function variant() {
    return { neat: generator.neat, raw: generator.raw }
  }

  // What the name of a picture says of how it was made.
  function mark() {
    return `${generator.raw ? ', raw' : ''}${generator.neat ? `, neat ${generator.neat} of ${NEATEST}` : ''}`
  }

  // The file name that `python -m digit_generator generate` uses, and _ink for a picture in ink.
  function stem() {
    const index = Math.floor(at)
    const way = index === at ? '' : `_to_${seed + index + 1}_at_${(at - index).toFixed(2)}`
    const ending = `${generator.neat ? `_neat_${generator.neat}` : ''}${generator.raw ? '_raw' : ''}${ink ? '_ink' : ''}`
    return `digit_${digit}_seed_${seed + index}${way}${ending}`
  }

  function changeSeed(input) {
    if (/^\d{1,10}$/.test(input.value.trim()) && Number(input.value) <= MAX_SEED) {
      change(placed(Number(input.value)))
    } else {
      input.setCustomValidity(`A seed is a whole number from 0 to ${MAX_SEED}.`)
      input.reportValidity()
    }
  }

  function makeOfFive(index) {
    const [enlarged, original] = [makePicture('enlarged'), makePicture('original')]
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'picture'
    button.append(enlarged)
    button.addEventListener('click', () => {
      change({ at: index })
      element('actions').scrollIntoView({ block: 'nearest' }) // below the large picture: on a phone below the fold
    })
    const caption = document.createElement('span')
    caption.className = 'quiet'
    caption.setAttribute('aria-hidden', 'true') // the button has the same text
    const item = document.createElement('li')
    item.append(button, caption, original)
    return { item, button, enlarged, original, caption }
  }

  function makeSibling(sibling) {
    const canvas = makePicture('sibling')
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'picture'
    button.setAttribute('aria-label', `${sibling}, in the same hand`)
    button.append(canvas)
    button.addEventListener('click', () => change({ digit: sibling }))
    return { button, canvas }
  }
}

// z at `place`, between `latents(index)` at the whole numbers around it.
function between(place, latents) {
  const index = Math.floor(place)
  return index === place ? latents(index) : latentsBetween(latents(index), latents(index + 1), place - index)
}
