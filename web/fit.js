// From handwritten digits to the hand that draws them, by the method of digit_generator/hand.py, which gives the reasons.
//
// Python solves each Gauss-Newton step with the whole Jacobian. Here, conjugate gradients (Hestenes and Stiefel 1952) need
// only how the picture changes along one direction and back, which is less work; and the walks from the four starts go
// side by side, so that each weight is read once for all of them.

import { LATENT_SIZE, latentsFromSeed } from './random.js'
import { LEAKY_SLOPE, SIZE } from './network.js'

// hand.py explains these numbers; a test compares them.
export const NEAR = 0.25
export const LIKE = 1.5
export const BANK = 512
export const FIRST_SEED = 4200000000
export const STARTS = 4
export const FIRST_STEPS = 2
export const WALK_STEPS = 12
export const LIKELIHOOD = 2.0
export const READ_BANK = 256
export const READ_WALKS = 4
export const READ_STEPS = 3
export const ENOUGH = 0.001
export const TRIES = 4

const LANES = 4 // walks side by side: READ_WALKS, and STARTS
const EXACT = 1e-4 // of the slope: what conjugate gradients may leave of a step
const MOST_PRODUCTS = 60 // of one step
const LIKELY_STARTS = 32 // of the bank's, by their places: these are drawn
const LIKELY_LABELS = 5
const LIKELY_READ = 8 // for each of these labels
const PIXELS = SIZE * SIZE

/** Finds hands in what one network draws. */
export class Fit {
  #forward // the four weights, [outputs, inputs], the first for z alone
  #backward // the same, [inputs, outputs]
  #biases // of the layers; of the first, one for each digit, with its embedding
  #bank // see starts.js; null without

  /** network: network.js. bank: what of the starts is known beforehand (starts.js), or null, which takes longer. */
  constructor(network, bank = null) {
    const { labelEmbedding, layers } = network.parts
    const [first, ...rest] = layers
    const inputs = 2 * LATENT_SIZE
    const ofZ = new Float32Array((first.weight.length * LATENT_SIZE) / inputs)
    const ofDigit = Array.from({ length: 10 }, () => Float64Array.from(first.bias))
    for (let row = 0; row < first.bias.length; row++) {
      for (let i = 0; i < LATENT_SIZE; i++) {
        ofZ[row * LATENT_SIZE + i] = first.weight[row * inputs + i]
        const weight = first.weight[row * inputs + LATENT_SIZE + i]
        for (let digit = 0; digit < 10; digit++) ofDigit[digit][row] += weight * labelEmbedding[digit * LATENT_SIZE + i]
      }
    }
    this.#forward = [ofZ, ...rest.map(({ weight }) => Float32Array.from(weight))]
    this.#backward = this.#forward.map((weight, layer) => turned(weight, layers[layer].bias.length))
    this.#biases = [ofDigit, ...rest.map(({ bias }) => bias)]
    this.#bank = bank
  }

  /**
   * The z in which one person wrote these digits, Float64Array [100], not yet on the grid of a hand. digits: {pixels: [784]
   * in MNIST's form, label: 0...9} each. onProgress(share) is called with the share that is done, 0...1.
   */
  hand(digits, onProgress = () => {}) {
    const targets = digits.map(({ pixels }) => targetFrom(pixels))
    const z = this.#starts(targets, digits.map(({ label }) => label))
    const all = STARTS * FIRST_STEPS + WALK_STEPS
    const labels = digits.map(({ label }) => Array(LANES).fill(label))
    const first = new Walks(this, targets, labels, z)
    for (let step = 1; step <= FIRST_STEPS; step++) {
      first.step()
      onProgress((STARTS * step) / all)
    }
    const walk = first.alone(smallest(first.cost))
    for (let step = 1; step <= WALK_STEPS; step++) {
      const [before] = walk.cost
      walk.step()
      onProgress((STARTS * FIRST_STEPS + step) / all)
      if (before - walk.cost[0] <= ENOUGH * before) break
    }
    onProgress(1)
    return walk.lane(0)
  }

  /** What it costs to draw a picture, pixels [784] in MNIST's form, as each of the ten digits; Infinity if not walked to. */
  costs(pixels) {
    const target = targetFrom(pixels)
    const far = Array.from({ length: 10 }, (_, label) => ({ label, far: Infinity, seed: 0 }))
    for (const [label, seeds] of this.#likelyLabels(target)) {
      this.#distances([target], [label], seeds).forEach((distance, i) => {
        if (distance < far[label].far) far[label] = { label, far: distance, seed: seeds[i] }
      })
    }
    const walked = far.sort((a, b) => a.far - b.far).slice(0, READ_WALKS)
    const labels = walked.map(({ label }) => label)
    const walks = new Walks(this, [target], [labels], side(walked.map(({ seed }) => latentsFromSeed(FIRST_SEED + seed))))
    for (let step = 0; step < READ_STEPS; step++) walks.step()
    const costs = Array(10).fill(Infinity)
    labels.forEach((label, lane) => (costs[label] = walks.cost[lane]))
    return costs
  }

  /** Which digit a picture is: the one that the network comes nearest to it with. */
  label(pixels) {
    return smallest(this.costs(pixels))
  }

  // The z of the bank that draw the digits most nearly, side by side, the nearest first.
  #starts(targets, labels) {
    const all = Array.from({ length: BANK }, (_, seed) => seed)
    const likely = this.#bank ? this.#bank.likely(targets, labels, BANK, LIKELY_STARTS) : all
    const seeds = likely.sort((a, b) => a - b)
    const far = this.#distances(targets, labels, seeds)
    const nearest = seeds.map((seed, i) => [far[i], seed]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
    return side(nearest.slice(0, STARTS).map(([, seed]) => latentsFromSeed(FIRST_SEED + seed)))
  }

  // [label, seeds of the bank] that may be the nearest.
  #likelyLabels(target) {
    const labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    if (!this.#bank) return labels.map((label) => [label, Array.from({ length: READ_BANK }, (_, seed) => seed)])
    const nearest = labels.map((label) => {
      const seeds = this.#bank.likely([target], [label], READ_BANK, LIKELY_READ)
      return [label, seeds, this.#bank.distance(target, label, seeds[0])]
    })
    return nearest.sort((a, b) => a[2] - b[2]).slice(0, LIKELY_LABELS)
  }

  // How far what each seed of the bank draws is from the digits, a sum of squares.
  #distances(targets, labels, seeds) {
    const far = new Float64Array(seeds.length)
    for (let start = 0; start < seeds.length; start += LANES) {
      const lanes = Array.from({ length: LANES }, (_, lane) => seeds[Math.min(start + lane, seeds.length - 1)])
      const z = side(lanes.map((seed) => latentsFromSeed(FIRST_SEED + seed)))
      targets.forEach((target, i) => {
        const { missing } = this.drawn(z, Array(LANES).fill(labels[i]), target)
        const squares = sums(missing, missing, LANES)
        for (let lane = 0; lane < LANES && start + lane < seeds.length; lane++) far[start + lane] += squares[lane]
      })
    }
    return far
  }

  /**
   * What z, [100 * lanes], draws as these labels, one for each lane, and what it misses of the target, both blurred:
   * {missing: [784 * lanes], slopes: how steep each unit is}.
   */
  drawn(z, labels, target) {
    const lanes = labels.length
    const slopes = []
    let x = z
    this.#forward.forEach((weight, layer) => {
      x = product(weight, x, lanes)
      const last = layer === this.#forward.length - 1
      const slope = new Float64Array(x.length)
      const biases = this.#biases[layer]
      for (let at = 0; at < x.length; at++) {
        const row = Math.floor(at / lanes)
        const sum = x[at] + (layer ? biases[row] : biases[labels[at % lanes]][row])
        x[at] = last ? Math.tanh(sum) : sum > 0 ? sum : LEAKY_SLOPE * sum
        slope[at] = last ? 1 - x[at] ** 2 : sum > 0 ? 1 : LEAKY_SLOPE
      }
      slopes.push(slope)
    })
    const missing = blurred(x, lanes)
    for (let at = 0; at < missing.length; at++) missing[at] -= target[Math.floor(at / lanes)]
    return { missing, slopes }
  }

  /** How the blurred picture changes along directions of z, [100 * lanes] -> [784 * lanes]. */
  push(slopes, directions, lanes) {
    let x = directions
    this.#forward.forEach((weight, layer) => (x = multiplied(product(weight, x, lanes), slopes[layer])))
    return blurred(x, lanes)
  }

  /** The way back: gradients by the blurred picture, [784 * lanes] -> by z, [100 * lanes]. */
  pull(slopes, gradients, lanes) {
    let x = blurred(gradients, lanes)
    for (let layer = slopes.length - 1; layer >= 0; layer--) x = product(this.#backward[layer], multiplied(x, slopes[layer]), lanes)
    return x
  }
}

// From several z, step by step, to ones that cost less: Gauss-Newton steps, each as careful as need be.
class Walks {
  #fit
  #targets
  #labels // of each target, one for each lane
  #lanes
  #care
  #inverses // of the matrix of a step in each lane, [100 * 100], as far as they are known
  #drawn // of each target

  constructor(fit, targets, labels, z, care, inverses) {
    this.#fit = fit
    this.#targets = targets
    this.#labels = labels
    this.#lanes = labels[0].length
    this.#care = care ?? new Float64Array(this.#lanes).fill(1)
    this.#inverses = inverses ?? Array.from({ length: this.#lanes }, unit)
    this.z = z
    ;({ cost: this.cost, drawn: this.#drawn } = this.#lookedAt(z))
  }

  /** The z of one lane, [100]. */
  lane(lane) {
    return Float64Array.from({ length: LATENT_SIZE }, (_, i) => this.z[i * this.#lanes + lane])
  }

  /** One lane, to go on alone. */
  alone(lane) {
    const labels = this.#labels.map((each) => [each[lane]])
    return new Walks(this.#fit, this.#targets, labels, this.lane(lane), this.#care.slice(lane, lane + 1), [this.#inverses[lane]])
  }

  /** One step in each lane; none where no try costs less. */
  step() {
    const lanes = this.#lanes
    const slope = this.z.map((value) => LIKELIHOOD * value)
    for (const { missing, slopes } of this.#drawn) add(slope, this.#fit.pull(slopes, missing, lanes))
    const arrived = Array(lanes).fill(false)
    const z = this.z.slice()
    let seen
    for (let attempt = 0; attempt < TRIES && arrived.includes(false); attempt++) {
      const move = this.#solved(slope)
      const tried = z.slice()
      for (let at = 0; at < z.length; at++) if (!arrived[at % lanes]) tried[at] = this.z[at] - move[at]
      seen = this.#lookedAt(tried)
      for (let lane = 0; lane < lanes; lane++) {
        if (arrived[lane]) continue
        arrived[lane] = seen.cost[lane] < this.cost[lane]
        this.#care[lane] *= arrived[lane] ? 1 / 3 : 4
        if (arrived[lane]) for (let at = lane; at < z.length; at += lanes) z[at] = tried[at]
      }
    }
    if (arrived.includes(false)) seen = this.#lookedAt(z)
    this.z = z
    ;({ cost: this.cost, drawn: this.#drawn } = seen)
  }

  // The x of (J.T J + (LIKELIHOOD + care) I) x = slope, in each lane, by conjugate gradients. What they learn of this matrix
  // prepares the next step's, which is much like it (Morales and Nocedal 2000).
  #solved(slope) {
    const lanes = this.#lanes
    const x = new Float64Array(slope.length)
    const left = slope.slice()
    const learned = []
    let prepared = this.#prepared(left)
    const direction = prepared.slice()
    let progress = sums(left, prepared, lanes)
    const enough = sums(left, left, lanes).map((square) => EXACT ** 2 * square)
    const goesOn = () => sums(left, left, lanes).some((square, lane) => square > enough[lane])
    while (learned.length < MOST_PRODUCTS && goesOn()) {
      const image = new Float64Array(direction.length)
      for (let at = 0; at < image.length; at++) image[at] = (LIKELIHOOD + this.#care[at % lanes]) * direction[at]
      for (const { slopes } of this.#drawn) {
        add(image, this.#fit.pull(slopes, this.#fit.push(slopes, direction, lanes), lanes))
      }
      learned.push([direction.slice(), image])
      const steepness = sums(direction, image, lanes)
      const share = progress.map((value, lane) => (value > 0 ? value / steepness[lane] : 0))
      for (let at = 0; at < x.length; at++) {
        x[at] += share[at % lanes] * direction[at]
        left[at] -= share[at % lanes] * image[at]
      }
      prepared = this.#prepared(left)
      const before = progress
      progress = sums(left, prepared, lanes)
      const kept = progress.map((value, lane) => (before[lane] > 0 ? value / before[lane] : 0))
      for (let at = 0; at < x.length; at++) direction[at] = prepared[at] + kept[at % lanes] * direction[at]
    }
    for (const [step, image] of learned) this.#learn(step, image)
    return x
  }

  // The inverse of the matrix, as far as it is known, times x.
  #prepared(x) {
    const lanes = this.#lanes
    const y = new Float64Array(x.length)
    this.#inverses.forEach((inverse, lane) => {
      for (let row = 0, at = 0; row < LATENT_SIZE; row++) {
        let sum = 0
        for (let i = lane; i < x.length; i += lanes, at++) sum += inverse[at] * x[i]
        y[row * lanes + lane] = sum
      }
    })
    return y
  }

  // The inverses are to take the image of a step to the step (BFGS: Nocedal and Wright 2006, 6.17).
  #learn(steps, images) {
    const lanes = this.#lanes
    const back = this.#prepared(images)
    const steepness = sums(steps, images, lanes)
    const length = sums(images, back, lanes)
    this.#inverses.forEach((inverse, lane) => {
      if (!(steepness[lane] > 0)) return
      const own = (1 + length[lane] / steepness[lane]) / steepness[lane]
      for (let i = lane, at = 0; i < steps.length; i += lanes) {
        for (let j = lane; j < steps.length; j += lanes, at++) {
          inverse[at] += own * steps[i] * steps[j] - (back[i] * steps[j] + steps[i] * back[j]) / steepness[lane]
        }
      }
    })
  }

  // What z costs in each lane, and what it draws.
  #lookedAt(z) {
    const lanes = this.#lanes
    const cost = sums(z, z, lanes).map((square) => LIKELIHOOD * square)
    const drawn = this.#targets.map((target, i) => this.#fit.drawn(z, this.#labels[i], target))
    for (const { missing } of drawn) add(cost, sums(missing, missing, lanes))
    return { cost, drawn }
  }
}

/** Whether a picture of these costs is more like another digit than like its label. */
export function unlike(costs, label) {
  return costs[label] > LIKE * Math.min(...costs.filter((_, digit) => digit !== label))
}

/** How far a picture, [784] in [-1, 1], is from pixels, [784]: root mean square, both blurred. */
export function distanceOf(image, pixels) {
  const [drawn, target] = [blurred(image, 1), targetFrom(pixels)]
  return Math.sqrt(drawn.reduce((sum, value, i) => sum + (value - target[i]) ** 2, 0) / PIXELS)
}

function targetFrom(pixels) {
  return blurred(Float64Array.from(pixels, (value) => value / 127.5 - 1), 1)
}

// [784 * lanes] blurred by 1 2 1 both ways; beyond the border lies 0.
function blurred(images, lanes) {
  const along = (from, step, length) => {
    const to = new Float64Array(from.length)
    for (let at = 0; at < from.length; at++) {
      const place = Math.floor(at / step) % length
      const before = place ? from[at - step] : 0
      const after = place < length - 1 ? from[at + step] : 0
      to[at] = from[at] / 2 + (before + after) / 4
    }
    return to
  }
  return along(along(images, lanes, SIZE), SIZE * lanes, SIZE)
}

// weight @ x in each lane: [rows, inner], [inner * lanes] -> [rows * lanes].
function product(weight, x, lanes) {
  return lanes === 1 ? productOfOne(weight, x) : productOfFour(weight, x)
}

// Four rows at a time, for each number of x is then read once.
function productOfOne(weight, x) {
  const inner = x.length
  const y = new Float64Array(weight.length / inner)
  for (let row = 0; row < y.length; row += 4) {
    let a = 0, b = 0, c = 0, d = 0
    const p = row * inner
    const q = p + inner
    const r = q + inner
    const s = r + inner
    for (let i = 0; i < inner; i++) {
      const value = x[i]
      a += weight[p + i] * value
      b += weight[q + i] * value
      c += weight[r + i] * value
      d += weight[s + i] * value
    }
    y[row] = a
    y[row + 1] = b
    y[row + 2] = c
    y[row + 3] = d
  }
  return y
}

// Two rows and four lanes at a time: eight sums for six numbers that are read.
function productOfFour(weight, x) {
  const inner = x.length / 4
  const y = new Float64Array((weight.length / inner) * 4)
  for (let row = 0; row < y.length / 4; row += 2) {
    let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0
    const upper = row * inner
    const lower = upper + inner
    for (let i = 0, at = 0; i < inner; i++, at += 4) {
      const a = weight[upper + i]
      const b = weight[lower + i]
      const x0 = x[at]
      const x1 = x[at + 1]
      const x2 = x[at + 2]
      const x3 = x[at + 3]
      a0 += a * x0
      a1 += a * x1
      a2 += a * x2
      a3 += a * x3
      b0 += b * x0
      b1 += b * x1
      b2 += b * x2
      b3 += b * x3
    }
    const at = 4 * row
    y[at] = a0
    y[at + 1] = a1
    y[at + 2] = a2
    y[at + 3] = a3
    y[at + 4] = b0
    y[at + 5] = b1
    y[at + 6] = b2
    y[at + 7] = b3
  }
  return y
}

function turned(weight, rows) {
  const columns = weight.length / rows
  const turn = new Float32Array(weight.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turn[column * rows + row] = weight[row * columns + column]
  }
  return turn
}

function unit() {
  return Float64Array.from({ length: LATENT_SIZE ** 2 }, (_, at) => (at % (LATENT_SIZE + 1) ? 0 : 1 / (LIKELIHOOD + 1)))
}

// Several z, [100] each -> one array [100 * lanes], the first numbers of all, then the second ones.
function side(latents) {
  return Float64Array.from({ length: LATENT_SIZE * latents.length }, (_, at) => {
    return latents[at % latents.length][Math.floor(at / latents.length)]
  })
}

// The sums of a * b in each lane: Float64Array [lanes].
function sums(a, b, lanes) {
  const total = new Float64Array(lanes)
  for (let at = 0; at < a.length; at++) total[at % lanes] += a[at] * b[at]
  return total
}

function add(to, numbers) {
  for (let at = 0; at < to.length; at++) to[at] += numbers[at]
}

function multiplied(x, factors) {
  for (let at = 0; at < x.length; at++) x[at] *= factors[at]
  return x
}

export function smallest(numbers) {
  return numbers.indexOf(Math.min(...numbers))
}
