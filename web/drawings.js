// Five pictures of a digit, one of them large, the morph from each to the next, and the ten digits of one handwriting.

import { addressFromState, COUNT, placed, stateFromAddress } from './address.js'
import { latentsBetween } from './morph.js'
import { makePicker } from './picker.js'
import { describe, download, makePicture, showPixels } from './picture.js'
import { pngFromPixels } from './png.js'
import { MAX_SEED } from './random.js'
import { svgFromPixels } from './svg.js'

const DIGITS = Array.from({ length: 10 }, (_, digit) => digit)
const NEW_SEEDS = 999_996 // six figures at most, to fit under a picture
const SIBLINGS_PER_FRAME = 2 // the ten digits are redrawn in turn, so that each frame stays short

const element = (id) => document.getElementById(id)

/**
 * Show `state` (see address.js). `onShown(digit, z, seed)` is called when another picture is large and the slider rests,
 * `onRaw()` when the raw switch has changed.
 */
export function startDrawings(generator, state, { onShown, onRaw }) {
  let { digit, seed, at } = state
  let pixels // of the large picture
  // While the slider moves, pictures are finished in place and with the random choices of one seed, so nothing jumps.
  let moving = false
  let frame = 0 // the animation frame that the slider waits for, or 0
  let siblingsFrame = 0 // the one that the ten digits wait for
  let stale = [] // digits whose small picture does not show the current z yet

  const pick = makePicker(element('digit'), (picked) => change({ digit: picked }))
  const five = DIGITS.slice(0, COUNT).map((index) => makeOfFive(index))
  const large = makePicture('large', 'picture')
  const ten = DIGITS.map((sibling) => makeSibling(sibling))
  element('five').append(...five.map((picture) => picture.item))
  element('large').append(large)
  element('ten').append(...ten.map((picture) => picture.button))

  element('again').addEventListener('click', () => change({ seed: Math.floor(Math.random() * NEW_SEEDS), at: 0 }))
  element('raw').addEventListener('change', () => change({ raw: element('raw').checked }))
  element('seed').addEventListener('change', () => changeSeed(element('seed')))
  element('at').addEventListener('input', () => {
    at = Number(element('at').value)
    frame ||= requestAnimationFrame(follow)
  })
  element('at').addEventListener('change', rest)
  element('png').addEventListener('click', async () => download(await pngFromPixels(pixels), `${stem()}.png`))
  element('svg').addEventListener('click', () =>
    download(new Blob([svgFromPixels(pixels, name())], { type: 'image/svg+xml' }), `${stem()}.svg`),
  )
  element('link').addEventListener('click', copyLink)
  addEventListener('popstate', () => change(stateFromAddress(location.search).state))
  change({})

  function change(to) {
    const wasRaw = generator.raw
    ;({ digit, seed, at, raw: generator.raw } = { digit, seed, at, raw: wasRaw, ...to })
    if (generator.raw !== wasRaw) onRaw()
    pick(digit)
    element('raw').checked = generator.raw
    element('seed').value = seed
    element('seed').setCustomValidity('')
    element('at').value = at
    five.forEach((picture, index) => {
      showPixels(picture.enlarged, generator.pixels(latentsAt(index), digit, seed + index))
      picture.original.getContext('2d').drawImage(picture.enlarged, 0, 0)
      picture.caption.textContent = `seed ${seed + index}`
      picture.button.setAttribute('aria-label', `${digit}, seed ${seed + index}: show enlarged`)
    })
    rest()
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
    element('command').textContent = ''
    if (!moving) {
      const command = document.createElement('code')
      const options = `${generator.raw ? ' --raw' : ''}${generator.choice ? '' : ' --every-z'}`
      command.textContent = `python -m digit_generator generate ${digit} --count 1 --seed ${seed + at}${options}`
      element('command').append('To generate this picture again: ', command)
    }
    element('done').textContent = ''
    history.replaceState(null, '', addressFromState({ digit, seed, at, raw: generator.raw }) + location.hash)
    onShown(digit, z, chance())
  }

  function showLarge(z) {
    pixels = generator.pixels(z, digit, chance(), !moving)
    showPixels(large, pixels)
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
        showPixels(ten[sibling].canvas, generator.pixels(z, sibling, chance(), !moving))
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
    const raw = generator.raw ? ', raw' : ''
    if (index === at) return `${digit}, seed ${seed + at}${raw}`
    return `${digit}, ${Math.round((at - index) * 100)} % of the way from seed ${seed + index} to ${seed + index + 1}${raw}`
  }

  // The file name that `python -m digit_generator generate` uses.
  function stem() {
    const index = Math.floor(at)
    const way = index === at ? '' : `_to_${seed + index + 1}_at_${(at - index).toFixed(2)}`
    return `digit_${digit}_seed_${seed + index}${way}${generator.raw ? '_raw' : ''}`
  }

  function changeSeed(input) {
    if (/^\d{1,10}$/.test(input.value.trim()) && Number(input.value) <= MAX_SEED) {
      change(placed(Number(input.value)))
    } else {
      input.setCustomValidity(`A seed is a whole number from 0 to ${MAX_SEED}.`)
      input.reportValidity()
    }
  }

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(location.href.replace(location.hash, ''))
      element('done').textContent = 'Link copied.'
    } catch {
      element('done').textContent = 'Copying failed: the address of this page is the link.'
    }
  }

  function makeOfFive(index) {
    const [enlarged, original] = [makePicture('enlarged'), makePicture('original')]
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'picture'
    button.append(enlarged)
    button.addEventListener('click', () => change({ at: index }))
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
    button.setAttribute('aria-label', `${sibling}, in the same handwriting`)
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
