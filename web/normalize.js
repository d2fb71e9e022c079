// What was written on the square -> pixels in MNIST's form. The ink is known here, so nothing has to be looked for as in a
// photograph (digit_generator/normalize.py): only the scan is made, and MNIST's rule applied to it.

import { boxedPixels, dropSmallPieces, hashed } from './finish.js'

export const SCAN = 64 // pixels: the longer side of a digit's scan

/**
 * strokes: each an array of [x, y], in any unit; width: of the pen, in the same unit -> Uint8ClampedArray [784], 0
 * background ... 255 ink. Without a stroke it is empty. Pieces much smaller than the largest are left out.
 */
export function pixelsFromStrokes(strokes, width) {
  const scan = new Uint8Array(SCAN * SCAN)
  const points = strokes.flat()
  if (points.length) {
    const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]))
    const [left, top] = [xs, ys].map((all) => Math.min(...all) - width / 2)
    const scale = SCAN / (Math.max(Math.max(...xs) - left, Math.max(...ys) - top) + width / 2)
    for (const stroke of strokes) {
      const line = stroke.map(([x, y]) => [(x - left) * scale, (y - top) * scale])
      line.forEach((point, i) => ink(scan, line[Math.max(i - 1, 0)], point, (width * scale) / 2))
    }
    dropSmallPieces(scan, SCAN)
  }
  return boxedPixels(scan, SCAN, hashed(scan.reduce((sum, value) => sum + value, 0)))
}

// A straight piece of a stroke, with round ends: every pixel whose middle lies in it.
function ink(scan, [fromX, fromY], [toX, toY], radius) {
  const [dx, dy] = [toX - fromX, toY - fromY]
  const squared = Math.max(dx * dx + dy * dy, 1e-12)
  const within = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - radius)), Math.min(SCAN, Math.ceil(Math.max(a, b) + radius))]
  const [[left, right], [top, bottom]] = [within(fromX, toX), within(fromY, toY)]
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const [x, y] = [column + 0.5 - fromX, row + 0.5 - fromY]
      const share = Math.min(1, Math.max(0, (x * dx + y * dy) / squared))
      if ((x - share * dx) ** 2 + (y - share * dy) ** 2 <= radius ** 2) scan[row * SCAN + column] = 1
    }
  }
}
