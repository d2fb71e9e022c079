// What can be done with the large picture: download, copy, share, link to it.

import { download, INK_SIDE, showInk } from './picture.js'
import { pngFromPixels } from './png.js'
import { svgFromPixels } from './svg.js'

const COPIED_SCALE = 20 // a copied picture of 28 pixels would be lost in a text

const REFUSED = 'Copying failed: the browser does not allow it here.'

const element = (id) => document.getElementById(id)

/** Start the buttons. `shown()` gives the large picture: {pixels, name, stem, ink}. Returns a function that unsays. */
export function startFiles(shown) {
  element('png').addEventListener('click', async () => download(await pngOf(shown()), `${shown().stem}.png`))
  element('svg').addEventListener('click', () => {
    const { pixels, name, stem, ink } = shown()
    download(new Blob([svgFromPixels(pixels, name, ink)], { type: 'image/svg+xml' }), `${stem}.svg`)
  })
  element('copy').addEventListener('click', () =>
    // The promise inside, and not awaited before: Safari allows it only at once.
    said('Picture copied.', REFUSED, () =>
      navigator.clipboard.write([new ClipboardItem({ 'image/png': pngOf(shown(), COPIED_SCALE) })]),
    ),
  )
  element('link').addEventListener('click', () =>
    said('Link copied.', 'Copying failed: the address of this page is the link.', () =>
      navigator.clipboard.writeText(link()),
    ),
  )
  element('copy-command').addEventListener('click', () =>
    said('Command copied.', REFUSED, () =>
      navigator.clipboard.writeText(element('command').textContent),
    ),
  )
  element('share').hidden = !navigator.canShare?.({ files: [new File([], 'digit.png', { type: 'image/png' })] })
  element('share').addEventListener('click', share)
  return () => (element('done').textContent = '')

  async function share() {
    const { name, stem } = shown()
    const file = new File([await pngOf(shown(), COPIED_SCALE)], `${stem}.png`, { type: 'image/png' })
    try {
      await navigator.share({ files: [file], title: name, url: link() })
    } catch (error) {
      if (error.name !== 'AbortError') element('done').textContent = 'Sharing failed: copy the link instead.'
    }
  }
}

function link() {
  return location.href.replace(location.hash, '')
}

async function said(done, failed, act) {
  try {
    await act()
    element('done').textContent = done
  } catch {
    element('done').textContent = failed
  }
}

/** The picture as a PNG: 28 pixels wide times `scale`, or smooth in ink. */
async function pngOf({ pixels, ink }, scale = 1) {
  if (!ink) return pngFromPixels(pixels, scale)
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = INK_SIDE
  showInk(canvas, pixels)
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'))
}
