// The sets of five that were on the page before, each one click away.

import { makePicture, showPixels } from './picture.js'
import { SIZE } from './network.js'

const KEPT = 4

const element = (id) => document.getElementById(id)

/**
 * Start the strip. `onBack(set)` is called when a visitor asks for a set again. Returns `keep(set, shown)`, which puts a
 * set first and takes out the one that is shown instead. A set is {name, state, pictures: arrays of pixels}; the same
 * name is the same set.
 */
export function startBefore(onBack) {
  let sets = []
  return (set, shown) => {
    sets = [set, ...sets.filter(({ name }) => name !== set.name && name !== shown.name)].slice(0, KEPT)
    element('none-before').hidden = true
    element('before').replaceChildren(...sets.map((each) => makeItem(each, onBack)))
  }
}

function makeItem(set, onBack) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'picture set'
  button.setAttribute('aria-label', `Back to five images of ${set.name}`)
  for (const pixels of set.pictures) {
    const canvas = makePicture('original')
    showPixels(canvas, pixels)
    button.append(canvas)
  }
  button.addEventListener('click', () => onBack(set))
  const item = document.createElement('li')
  const caption = document.createElement('span')
  caption.className = 'quiet'
  caption.setAttribute('aria-hidden', 'true') // the button has the same text
  caption.textContent = set.name
  item.append(button, caption)
  return item
}
