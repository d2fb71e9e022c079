// Five pictures of a digit, one of them large, the way from each to the next, and the ten digits of one z.

import { addressFromState, COUNT, placed, stateFromAddress } from './address.js'
import { latentsBetween } from './morph.js'
import { makePicker } from './picker.js'
import { describe, download, makePicture, showPixels } from './picture.js'
import { pngFromPixels } from './png.js'
import { latentsFromSeed, MAX_SEED } from './random.js'
import { svgFromPixels } from './svg.js'

const DIGITS = Array.from({ length: 10 }, (_, digit) => digit)
const NEW_SEEDS = 999_996 // six figures at most, to fit under a picture
const SIBLINGS_PER_FRAME = 2 // the ten digits of one z follow in turn, so that each frame stays short

const element = (id) => document.getElementById(id)

/** Show `state` (see address.js); `onShown(digit, z)` hears which picture is large once it rests. */
export function startDrawings(generator, state, onShown) {
  let { digit, seed, at } = state
  let pixels // of the large picture
  let frame = 0 // the animation frame that the slider waits for, or 0
  let siblingsFrame = 0 // the one that the ten digits wait for
  let stale = [] // digits whose small picture is not yet of the z that is shown

  const pick = makePicker(element('digit'), (picked) => change({ digit: picked }))
  const five = DIGITS.slice(0, COUNT).map((index) => makeOfFive(index))
  const large = makePicture('large', 'picture')
  const ten = DIGITS.map((sibling) => makeSibling(sibling))
  element('five').append(...five.map((picture) => picture.item))
  element('large').append(large)
  element('ten').append(...ten.map((picture) => picture.button))

  element('again').addEventListener('click', () => change({ seed: Math.floor(Math.random() * NEW_SEEDS), at: 0 }))
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
    ;({ digit, seed, at } = { digit, seed, at, ...to })
    pick(digit)
    element('seed').value = seed
    element('seed').setCustomValidity('')
    element('at').value = at
    five.forEach((picture, index) => {
      showPixels(picture.enlarged, generator.pixels(latentsFromSeed(seed + index), digit))
      picture.original.getContext('2d').drawImage(picture.enlarged, 0, 0)
      picture.caption.textContent = `seed ${seed + index}`
      picture.button.setAttribute('aria-label', `${digit}, seed ${seed + index}: show it large`)
    })
    rest()
  }

  // A frame of the slider's movement.
  function follow() {
    frame = 0
    showLarge(latents())
    if (!stale.length) showSiblings(DIGITS)
  }

  // The slider has come to rest: everything will be of the picture that is shown.
  function rest() {
    const z = latents()
    showLarge(z)
    showSiblings(DIGITS)
    element('shown').textContent = name()
    element('command').textContent = ''
    if (Number.isInteger(at)) {
      const command = document.createElement('code')
      command.textContent = `python -m digit_generator generate ${digit} --count 1 --seed ${seed + at}`
      element('command').append('The picture again: ', command)
    }
    element('done').textContent = ''
    history.replaceState(null, '', addressFromState({ digit, seed, at }) + location.hash)
    onShown(digit, z)
  }

  function showLarge(z) {
    pixels = generator.pixels(z, digit)
    showPixels(large, pixels)
    describe(large, `handwritten-style ${name()}`)
    element('at').setAttribute('aria-valuetext', name())
    five.forEach(({ button }, index) => button.setAttribute('aria-pressed', index === at))
  }

  // Some of the ten digits of this z, a few in every frame from the next one on.
  function showSiblings(siblings) {
    stale = [...siblings]
    siblingsFrame ||= requestAnimationFrame(() => {
      siblingsFrame = 0
      for (const sibling of stale.splice(0, SIBLINGS_PER_FRAME)) {
        showPixels(ten[sibling].canvas, generator.pixels(latents(), sibling))
        ten[sibling].button.setAttribute('aria-pressed', sibling === digit)
      }
      if (stale.length) showSiblings(stale)
    })
  }

  function latents() {
    const index = Math.floor(at)
    const from = latentsFromSeed(seed + index)
    return index === at ? from : latentsBetween(from, latentsFromSeed(seed + index + 1), at - index)
  }

  function name() {
    const index = Math.floor(at)
    if (index === at) return `${digit}, seed ${seed + at}`
    return `${digit}, ${Math.round((at - index) * 100)} % of the way from seed ${seed + index} to ${seed + index + 1}`
  }

  // As `python -m digit_generator generate` calls its files.
  function stem() {
    const index = Math.floor(at)
    const between = index === at ? '' : `_to_${seed + index + 1}_at_${(at - index).toFixed(2)}`
    return `digit_${digit}_seed_${seed + index}${between}`
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
      element('done').textContent = 'Copy the address of this page: it is the link.'
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
    caption.setAttribute('aria-hidden', 'true') // the button says it
    const item = document.createElement('li')
    item.append(button, caption, original)
    return { item, button, enlarged, original, caption }
  }

  function makeSibling(sibling) {
    const canvas = makePicture('sibling')
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'picture'
    button.setAttribute('aria-label', `${sibling}, by the same numbers`)
    button.append(canvas)
    button.addEventListener('click', () => change({ digit: sibling }))
    return { button, canvas }
  }
}
