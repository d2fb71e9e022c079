// Choose: which z of a seed's stream is drawn. A head on what goes into the network's last layer refuses those that
// cannot write, as digit_generator/choose.py says.

import { leakyReLU, outputs } from './network.js'
import { tensorsFromBytes } from './weights.js'

/** z of one stream that are looked at; if all are refused, the first is drawn. */
export const MAX_TRIES = 64

const FILE = 'generator.choice.safetensors'
const SHAPES = {
  'hidden.weight': [64, 1024],
  'label.weight': [10, 64],
  'score.weight': [64],
  'score.bias': [1],
}

/** The head that was learned for one generator. Drawing changes nothing in it. */
export class Choice {
  #tensors

  /** `tensors` are named and shaped as in SHAPES; the bounds are scores. */
  constructor(tensors, { digit_bound, hand_bound }) {
    this.#tensors = tensors
    /** The score above which a digit is accepted. */
    this.digitBound = digit_bound
    /** The score above which the worst of a hand's ten digits is accepted. */
    this.handBound = hand_bound
  }

  /** How likely a drawing is beside real digits, higher = more real, from what goes into the last layer, [1024]. */
  score(hidden, digit) {
    const [weight, labels, scores, bias] = Object.keys(SHAPES).map((name) => this.#tensors.get(name))
    const label = labels.subarray(digit * scores.length, (digit + 1) * scores.length)
    const units = outputs({ weight, bias: label }, hidden).map(leakyReLU)
    return outputs({ weight: scores, bias }, units)[0]
  }
}

/** The choice file beside the page; null where there is none that can be read, or none of these weights. */
export async function fetchChoice(weightsDigest) {
  try {
    const response = await fetch(FILE)
    const { tensors, metadata } = tensorsFromBytes(new Uint8Array(await response.arrayBuffer()), SHAPES)
    const record = JSON.parse(metadata.choice)
    const bounded = Number.isFinite(record.digit_bound) && Number.isFinite(record.hand_bound)
    return bounded && record.weights_sha256 === weightsDigest ? new Choice(tensors, record) : null
  } catch {
    return null // no network, or no choice file
  }
}
