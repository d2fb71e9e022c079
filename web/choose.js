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

  /** `tensors` have the names and shapes of SHAPES; `positions` are as described below. */
  constructor(tensors, positions) {
    this.#tensors = tensors
    /**
     * From 0, "as it comes", to "neat", what each position accepts and costs: {digit_bound, the score above which a digit
     * is accepted; hand_bound, the same for the worst of a hand's ten; rejected, recall, broken: shares, if measured; fid}.
     */
    this.positions = positions
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
    const positions = record.neat ?? [record] // a file from before there were positions has one
    const bounded = positions.every((at) => Number.isFinite(at.digit_bound) && Number.isFinite(at.hand_bound))
    return bounded && record.weights_sha256 === weightsDigest ? new Choice(tensors, positions) : null
  } catch {
    return null // no network, or no choice file
  }
}
