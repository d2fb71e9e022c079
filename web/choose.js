// Choose which z of a seed's stream is used. A small network rates the input of the generator's last layer and rejects
// each z whose digit does not look real enough, as in digit_generator/choose.py.

import { leakyReLU, outputs } from './network.js'
import { tensorsFromBytes } from './weights.js'

/** How many z of one stream are tried; if all are rejected, the first is used. */
export const MAX_TRIES = 64

const FILE = 'generator.choice.safetensors'
const SHAPES = {
  'hidden.weight': [64, 1024],
  'label.weight': [10, 64],
  'score.weight': [64],
  'score.bias': [1],
}

/** The rating network of one generator. It is never modified. */
export class Choice {
  #tensors

  /** `tensors` have the names and shapes of SHAPES; the bounds are scores. */
  constructor(tensors, { digit_bound, hand_bound }) {
    this.#tensors = tensors
    /** The score above which a digit is accepted. */
    this.digitBound = digit_bound
    /** The score above which the worst of ten digits in one handwriting is accepted. */
    this.handBound = hand_bound
  }

  /** How real a digit looks, higher = more real, from the input of the last layer, [1024]. */
  score(hidden, digit) {
    const [weight, labels, scores, bias] = Object.keys(SHAPES).map((name) => this.#tensors.get(name))
    const label = labels.subarray(digit * scores.length, (digit + 1) * scores.length)
    const units = outputs({ weight, bias: label }, hidden).map(leakyReLU)
    return outputs({ weight: scores, bias }, units)[0]
  }
}

/** The choice file beside the page; null if it is missing, unreadable or belongs to other weights. */
export async function fetchChoice(weightsDigest) {
  try {
    const response = await fetch(FILE, { cache: 'no-cache' })
    const { tensors, metadata } = tensorsFromBytes(new Uint8Array(await response.arrayBuffer()), SHAPES)
    const record = JSON.parse(metadata.choice)
    const bounded = Number.isFinite(record.digit_bound) && Number.isFinite(record.hand_bound)
    return bounded && record.weights_sha256 === weightsDigest ? new Choice(tensors, record) : null
  } catch {
    return null // no network, or no choice file
  }
}
