// Pixels on the screen and in files.

import { SIZE } from './network.js'
import { INK, outlineFromPixels, PAPER } from './svg.js'

/** Width and height of a picture in ink, in pixels of the canvas. */
export const INK_SIDE = 560

/** A canvas of 28 by 28 pixels. A screen reader reads `description`; '' hides the canvas from it. */
export function makePicture(className, description = '') {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = SIZE
  canvas.className = className
  describe(canvas, description)
  return canvas
}

export function describe(canvas, description) {
  if (description) {
    canvas.setAttribute('role', 'img')
    canvas.setAttribute('aria-label', description)
  } else {
    canvas.setAttribute('aria-hidden', 'true')
  }
}

/** Fill the canvas row by row with pixels, Uint8ClampedArray, 0 background ... 255 ink, white on black. */
export function showPixels(canvas, pixels) {
  const image = new ImageData(canvas.width, canvas.height)
  const colours = new Uint32Array(image.data.buffer)
  for (let i = 0; i < pixels.length; i++) colours[i] = 0xff000000 | (pixels[i] * 0x010101)
  canvas.getContext('2d').putImageData(image, 0, 0)
}

/** Show pixels, [784], on a canvas of any size as a smooth outline in ink on paper. */
export function showInk(canvas, pixels) {
  const context = canvas.getContext('2d')
  context.fillStyle = PAPER
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.save()
  context.scale(canvas.width / SIZE, canvas.height / SIZE)
  context.fillStyle = INK
  context.fill(new Path2D(outlineFromPixels(pixels)), 'evenodd')
  context.restore()
}

/** Show pixels, [784], as they are or in ink: the canvas gets the size and the class that this needs. */
export function showPicture(canvas, pixels, ink) {
  const side = ink ? INK_SIDE : SIZE
  if (canvas.width !== side) canvas.width = canvas.height = side
  canvas.classList.toggle('ink', ink)
  if (ink) showInk(canvas, pixels)
  else showPixels(canvas, pixels)
}

/** Download a file. */
export function download(blob, name) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000) // some browsers read it after the click
}
