// The z of a whole number in one hand: the same for every digit, a little varied, and evened out, as in
// digit_generator/style.py, which gives the reasons.

import { variedLatents } from './hand.js'
import { LATENT_SIZE, RandomState } from './random.js'
import { estimatedShapes } from './shapes.js'

const THICKNESS = 0.2 // of the middle one, that a digit may differ by
const SLANT = 0.12 // radians
const USUAL_SPREAD = [0.65, 0.23, 2.5]
const STEPS = 8
const LONGEST_STEP = 1.5
const GRID = 2 ** -16
const NEARNESS = 0.005
const HELD_WEIGHT = [1.2, 2, 2.5]
const TAIL_WEIGHT = 0.2

/**
 * z, Float64Array [100] for each digit, of a text in the hand of `seed`. The browser may breathe between digits:
 * `onProgress(share)` is called there, and if it returns false, so is null.
 */
export async function handLatents(generator, seed, digits, onProgress) {
  const z = latentsOfHand(generator, seed, digits.length)
  const shapes = z.map((each, i) => shapesOf(generator.network.activations(each, digits[i]).at(-1)).shapes)
  const [thickness, slant] = [0, 1].map((shape) => median(shapes.map((each) => each[shape])))
  const bounds = [
    [thickness * (1 - THICKNESS), thickness * (1 + THICKNESS)],
    [slant - SLANT, slant + SLANT],
  ]
  for (const [i, digit] of digits.entries()) {
    const wanted = bounds.map(([low, high], shape) => Math.min(high, Math.max(low, shapes[i][shape])))
    if (wanted.every((value, shape) => value === shapes[i][shape])) continue
    z[i] = walk(generator.network, z[i], digit, wanted.map((value, shape) => (value === shapes[i][shape] ? null : value)))
    await new Promise((resolve) => setTimeout(resolve))
    if (!onProgress((i + 1) / digits.length)) return null
  }
  return z
}

/** The middle of some numbers; of an even count, between the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

// The z of the hand, and a little of each digit's own: the hundred numbers of the stream after those before it.
function latentsOfHand(generator, seed, count) {
  const number = generator.handNumber(seed)
  const stream = new RandomState(seed).standardNormal(LATENT_SIZE * (number + 1 + count))
  const own = generator.handLatents(seed)
  return Array.from({ length: count }, (_, i) => {
    const after = LATENT_SIZE * (number + 1 + i)
    return variedLatents(own, stream.subarray(after, after + LATENT_SIZE))
  })
}

function shapesOf(image) {
  return estimatedShapes(image.map((value) => (value + 1) / 2))
}

// The nearest z found that draws the thickness and slant `wanted`, null for as drawn now: Gauss-Newton steps, each cut
// to the longest that is trusted (Levenberg 1944). Places lie on a grid, so that steps that differ in the last bits end
// in the same.
function walk(network, start, digit, wanted) {
  const asked = [...wanted, null] // the width stays
  const scale = asked.map((value, shape) => (value === null ? HELD_WEIGHT[shape] : 1) / USUAL_SPREAD[shape])
  let [here, tried, least, trusted] = [start, start, Infinity, LONGEST_STEP]
  const steepness = [...scale, TAIL_WEIGHT]
  let jacobian, missing, goals
  for (let step = 0; step <= STEPS; step++) {
    const { image, pullback } = network.imageAndPullback(tried, digit)
    const { shapes, tail, gradients } = shapesOf(image)
    goals ??= [...asked.map((value, shape) => value ?? shapes[shape]), tail]
    const missingThere = [...shapes, tail].map((value, row) => (goals[row] - value) * steepness[row])
    const cost = dot(missingThere, missingThere) + NEARNESS * squaredDistance(tried, start)
    const better = cost < least
    trusted = better ? Math.min(2 * trusted, LONGEST_STEP) : Math.sqrt(squaredDistance(tried, here)) / 2
    if (better) {
      least = cost
      here = tried
    }
    if (step === STEPS) break
    if (better) {
      // An image in [0, 1] is half as steep as one in [-1, 1].
      jacobian = gradients.map((gradient, row) =>
        pullback(gradient.map((slope) => slope / 2)).map((slope) => slope * steepness[row]),
      )
      missing = missingThere
    }
    const back = start.map((value, i) => value - here[i])
    const square = jacobian.map((a, row) => jacobian.map((b, column) => dot(a, b) + (row === column ? NEARNESS : 0)))
    const factors = solved(square, missing.map((value, row) => value - dot(jacobian[row], back)))
    const move = back.map((value, i) => value + factors.reduce((total, factor, row) => total + factor * jacobian[row][i], 0))
    const share = Math.min(1, trusted / Math.max(Math.sqrt(dot(move, move)), 1e-12))
    tried = here.map((value, i) => Math.round((value + share * move[i]) / GRID) * GRID)
  }
  return here
}

function dot(a, b) {
  return a.reduce((total, value, i) => total + value * b[i], 0)
}

function squaredDistance(a, b) {
  return a.reduce((total, value, i) => total + (value - b[i]) ** 2, 0)
}

// The x of matrix x = right, by Gauss, the largest number of a column first.
function solved(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]])
  for (let column = 0; column < rows.length; column++) {
    const pivot = rows.slice(column).reduce((best, row) => (Math.abs(row[column]) > Math.abs(best[column]) ? row : best))
    const at = rows.indexOf(pivot)
    ;[rows[column], rows[at]] = [rows[at], rows[column]]
    for (let row = column + 1; row < rows.length; row++) {
      const factor = rows[row][column] / rows[column][column]
      for (let i = column; i <= rows.length; i++) rows[row][i] -= factor * rows[column][i]
    }
  }
  const x = []
  for (let row = rows.length - 1; row >= 0; row--) {
    const known = x.reduce((total, value, i) => total + value * rows[row][row + 1 + i], 0)
    x.unshift((rows[row].at(-1) - known) / rows[row][row])
  }
  return x
}
