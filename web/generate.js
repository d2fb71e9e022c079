// Digits from seeds: digit and seed -> accepted z -> raw picture -> finished pixels, as in
// digit_generator/generate.py.

import { MAX_TRIES } from './choose.js'
import { edgedPixels, finishedPixels } from './finish.js'
import { variedLatents } from './hand.js'
import { pixelsFromImage } from './network.js'
import { latentsFromSeed } from './random.js'

const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

/** The generator: the network, the choice of z, and the finish. */
export class DigitGenerator {
  #neat = 0
  #numbers = new Map() // which z of its stream each seed uses, once it is found

  /** With `choice` null, every z is used. */
  constructor(network, choice = null) {
    this.network = network
    this.choice = choice
    /** Whether pixels are the network's own instead of finished ones. */
    this.raw = false
    /** The person's hand (hand.js) that everything is drawn in; null where each seed has its own. */
    this.inHand = null
  }

  /** How strictly z is chosen: a place in choice.positions, 0 for as it comes, and where the choice has no such place. */
  get neat() {
    return this.#neat
  }

  set neat(position) {
    this.#neat = this.choice && position in this.choice.positions ? position : 0
  }

  /** The z of a seed for a digit, Float64Array [100]: the first accepted one of its stream. */
  latents(seed, digit, neat = this.neat) {
    return this.#streamLatents(seed, this.#number(seed, [digit], neat, 'digit_bound'))
  }

  /**
   * The z of a seed's hand, Float64Array [100]: the first of its stream that is accepted for all ten digits; in a person's
   * hand, that hand's.
   */
  handLatents(seed) {
    return this.inHand ? this.inHand.z : latentsFromSeed(seed, this.handNumber(seed))
  }

  /** Which z of its stream the hand of a seed is, from 0. */
  handNumber(seed) {
    return this.inHand ? 0 : this.#number(seed, DIGITS, this.neat, 'hand_bound')
  }

  /**
   * The picture of z, [100]: pixels, Uint8ClampedArray [784] row by row, 0 background ... 255 ink, finished unless
   * `raw`. The seed decides the random choices of the finish. Without `inBox`, the digit is not centred.
   */
  pixels(z, digit, seed, inBox = true) {
    return this.finished(this.network.activations(z, digit).at(-1), digit, seed, inBox)
  }

  /** The raw picture, [784] in [-1, 1], as `pixels`. */
  finished(image, digit, seed, inBox = true) {
    const pixels = pixelsFromImage(image)
    if (this.raw) return pixels
    return (inBox ? finishedPixels : edgedPixels)(pixels, digit, seed)
  }

  // z `number` of the seed's stream; in a person's hand, the hand's varied by it.
  #streamLatents(seed, number) {
    const z = latentsFromSeed(seed, number)
    return this.inHand ? variedLatents(this.inHand.z, z) : z
  }

  // The index, from 0, of the first z in the seed's stream that is accepted for all of these digits.
  #number(seed, digits, neat, bound) {
    if (!this.choice) return 0
    const key = `${seed} ${digits} ${neat} ${this.inHand?.text}`
    if (!this.#numbers.has(key)) {
      this.#numbers.set(key, this.#firstAccepted(seed, digits, this.choice.positions[neat][bound]))
    }
    return this.#numbers.get(key)
  }

  #firstAccepted(seed, digits, bound) {
    for (let number = 0; number < MAX_TRIES; number++) {
      const z = this.#streamLatents(seed, number)
      if (digits.every((digit) => this.choice.score(this.network.hidden(z, digit), digit) > bound)) return number
    }
    return 0
  }
}
