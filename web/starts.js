// What is known beforehand of the starts: where in a space of 32 axes each digit of the bank's seeds lies, so that only
// the few that may be the nearest have to be drawn. tools/make_web.py writes the file from the weights.

import { BANK } from './fit.js'
import { tensorsFromBytes, unpacked } from './weights.js'

const FILE = 'generator.starts.bin'
const AXES = 32
const PIXELS = 784
const SHAPES = {
  mean: [PIXELS], // of all pictures, blurred
  axes: [AXES, PIXELS], // the principal axes of what is left
  places: [AXES, 10, BANK], // of each digit of each seed, along each axis
  rest: [10, BANK], // the square of what the axes leave of each
  scale: [2], // what a step is: of the axes, of the places
}

/** The places of the bank. It is never modified. */
export class Bank {
  #tensors

  /** `tensors` have the names and shapes of SHAPES. */
  constructor(tensors) {
    this.#tensors = tensors
  }

  /** Of the bank's first `count` seeds the `most` that lie nearest to the targets, [784] each, blurred, of these labels. */
  likely(targets, labels, count, most) {
    const far = new Float64Array(count)
    targets.forEach((target, i) => {
      const place = this.#placeOf(target)
      for (let seed = 0; seed < count; seed++) far[seed] += this.#far(place, labels[i], seed)
    })
    return Array.from(far, (_, seed) => seed)
      .sort((a, b) => far[a] - far[b])
      .slice(0, most)
  }

  /** How far the digit of a seed lies from a target, but for what is the same for all. */
  distance(target, label, seed) {
    return this.#far(this.#placeOf(target), label, seed)
  }

  #far(place, label, seed) {
    const [places, rest, scale] = ['places', 'rest', 'scale'].map((name) => this.#tensors.get(name))
    const at = label * BANK + seed
    let far = rest[at]
    for (let axis = 0; axis < AXES; axis++) far += (place[axis] - scale[1] * places[axis * 10 * BANK + at]) ** 2
    return far
  }

  #placeOf(target) {
    const [mean, axes, scale] = ['mean', 'axes', 'scale'].map((name) => this.#tensors.get(name))
    return Float64Array.from({ length: AXES }, (_, axis) => {
      let place = 0
      for (let i = 0; i < PIXELS; i++) place += scale[0] * axes[axis * PIXELS + i] * (target[i] - mean[i])
      return place
    })
  }
}

/** The tensors of a bank beside the page; null if it is missing, unreadable or belongs to other weights. */
export async function fetchBank(weightsDigest) {
  try {
    const response = await fetch(FILE, { cache: 'no-cache' })
    const { tensors, metadata } = tensorsFromBytes(await unpacked(new Uint8Array(await response.arrayBuffer())), SHAPES)
    return metadata.weights_sha256 === weightsDigest ? tensors : null
  } catch {
    return null // no network, or no such file
  }
}
