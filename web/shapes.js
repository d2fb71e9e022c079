// Likenesses of a digit's thickness, slant and width with their gradients, as in digit_generator/shapes.py, which says
// where they come from.

import { SIZE } from './network.js'

const PIXELS = SIZE * SIZE
const TRIMMED = 0.01
const TAIL = [0.006, 0.03]
const BISECTIONS = 12
const NEWTON_STEPS = 4
const SMALL = 1e-9

/**
 * Of an image, [784] in 0 background ... 1 ink, with some ink: shapes, [thickness, slant, width] in pixels and radians;
 * tail, how much further the outermost ink reaches than most of it, in pixels; gradients, of these four, [784] each.
 */
export function estimatedShapes(image) {
  const upright = setUpright(image)
  const { ink, shear, shearGradient } = upright
  const [edge, edgeGradient] = totalVariation(image)
  const thickness = (2 * ink) / edge
  const [width, widthGradient] = widthOf(upright, TRIMMED)
  const [far, farGradient] = widthOf(upright, TAIL[0])
  const [near, nearGradient] = widthOf(upright, TAIL[1])
  return {
    shapes: [thickness, Math.atan(-shear), width],
    tail: far - near,
    gradients: [
      edgeGradient.map((slope) => (2 - thickness * slope) / edge),
      shearGradient.map((slope) => -slope / (1 + shear ** 2)),
      widthGradient,
      farGradient.map((slope, i) => slope - nearGradient[i]),
    ],
  }
}

function each(value) {
  return Float64Array.from({ length: PIXELS }, (_, i) => value(i, Math.floor(i / SIZE), i % SIZE))
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}

// The rows moved so that the digit stands upright, as the width wants it.
function setUpright(image) {
  const ink = sum(image) + SMALL
  const mass = each((i) => image[i] / ink)
  const down = sum(each((i, y) => mass[i] * y))
  const across = sum(each((i, y, x) => mass[i] * x))
  const u11 = sum(each((i, y, x) => mass[i] * (y - down) * (x - across)))
  const u02 = sum(each((i, y) => mass[i] * (y - down) ** 2)) + SMALL
  const shear = u11 / u02
  const shearGradient = each((i, y, x) => {
    const [below, beside] = [y - down, x - across]
    return (below * beside - u11 - shear * (below ** 2 - u02)) / (u02 * ink)
  })
  const place = each((i, y, x) => x - across - shear * (y - down))
  return { ink, mass, down, place, shear, shearGradient }
}

function widthOf(upright, trimmed) {
  const [right, rightGradient, rightByShear] = quantile(upright, 1 - trimmed)
  const [left, leftGradient, leftByShear] = quantile(upright, trimmed)
  const byShear = rightByShear - leftByShear
  const gradient = each((i) => (rightGradient[i] - leftGradient[i]) / upright.ink + byShear * upright.shearGradient[i])
  return [right - left, gradient]
}

// The sum of the slope's length over all meeting points of four pixels, and its gradient.
function totalVariation(image) {
  const gradient = new Float64Array(PIXELS)
  const at = (y, x) => (y < 0 || x < 0 || y >= SIZE || x >= SIZE ? 0 : image[y * SIZE + x])
  const add = (y, x, slope) => {
    if (y >= 0 && x >= 0 && y < SIZE && x < SIZE) gradient[y * SIZE + x] += slope
  }
  let edge = 0
  for (let y = 0; y <= SIZE; y++) {
    for (let x = 0; x <= SIZE; x++) {
      const falling = (at(y, x) - at(y - 1, x - 1)) / 2
      const rising = (at(y - 1, x) - at(y, x - 1)) / 2
      const length = Math.sqrt(2 * (falling ** 2 + rising ** 2) + SMALL ** 2)
      edge += length
      add(y, x, falling / length)
      add(y - 1, x - 1, -falling / length)
      add(y - 1, x, rising / length)
      add(y, x - 1, -rising / length)
    }
  }
  return [edge, gradient]
}

// Where `share` of the mass lies to the left, with the gradients by the mass, before it is divided, and by the shear.
function quantile({ mass, down, place }, share) {
  let [low, high, found] = [-40, 40, 0]
  const behind = (i) => found - place[i] + 0.5
  const within = (i) => behind(i) > 0 && behind(i) < 1
  const part = (i) => Math.min(1, Math.max(0, behind(i)))
  for (let step = 0; step < BISECTIONS + NEWTON_STEPS; step++) {
    let [more, density] = [-share, 0]
    for (let i = 0; i < PIXELS; i++) {
      more += mass[i] * part(i)
      if (within(i)) density += mass[i]
    }
    if (more < 0) low = found
    else high = found
    const exact = (more < 0 ? low : high) - more / Math.max(density, SMALL)
    found = (low + high) / 2
    if (step >= BISECTIONS && low <= exact && exact <= high) found = exact // on the right piece, Newton's step is exact
  }
  let [density, moment] = [SMALL, 0]
  for (let i = 0; i < PIXELS; i++) {
    if (!within(i)) continue
    density += mass[i]
    moment += mass[i] * (Math.floor(i / SIZE) - down)
  }
  return [found, each((i) => (share - part(i)) / density), -moment / density]
}
