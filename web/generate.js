// Digits from seeds: digit and seed -> chosen z -> the network's picture -> finished pixels, as
// digit_generator/generate.py draws.

import { MAX_TRIES } from './choose.js'
import { edgedPixels, finishedPixels } from './finish.js'
import { pixelsFromImage } from './network.js'
import { latentsFromSeed } from './random.js'

const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

/** What draws: the network, what chooses its z, and the finish. */
export class DigitGenerator {
  #numbers = new Map() // which z of its stream a seed means, once it was found

  /** `choice` is null where every z is taken. */
  constructor(network, choice = null) {
    this.network = network
    this.choice = choice
    /** Whether pixels are the network's own, instead of finished. */
    this.raw = false
  }

  /** The z that a seed means for a digit, Float64Array [100]: the first of its stream to be accepted. */
  latents(seed, digit) {
    return latentsFromSeed(seed, this.#number(seed, [digit], this.choice?.digitBound))
  }

  /** The z of the seed's hand, Float64Array [100]: the first of its stream to be accepted for all ten digits. */
  handLatents(seed) {
    return latentsFromSeed(seed, this.#number(seed, DIGITS, this.choice?.handBound))
  }

  /**
   * What is drawn from z, [100]: pixels, Uint8ClampedArray [784] row by row, 0 background ... 255 ink, finished unless
   * `raw`. The seed is the finish's chance. Not `inBox`, every stroke stays where the network drew it.
   */
  pixels(z, digit, seed, inBox = true) {
    return this.finished(this.network.activations(z, digit).at(-1), digit, seed, inBox)
  }

  /** The network's picture, [784] in [-1, 1], as `pixels`. */
  finished(image, digit, seed, inBox = true) {
    const pixels = pixelsFromImage(image)
    if (this.raw) return pixels
    return (inBox ? finishedPixels : edgedPixels)(pixels, digit, seed)
  }

  // Which z of the seed's stream, from 0, is the first to be accepted for all of these digits.
  #number(seed, digits, bound) {
    if (!this.choice) return 0
    const key = `${seed} ${digits}`
    if (!this.#numbers.has(key)) this.#numbers.set(key, this.#firstAccepted(seed, digits, bound))
    return this.#numbers.get(key)
  }

  #firstAccepted(seed, digits, bound) {
    for (let number = 0; number < MAX_TRIES; number++) {
      const z = latentsFromSeed(seed, number)
      if (digits.every((digit) => this.choice.score(this.network.hidden(z, digit), digit) > bound)) return number
    }
    return 0
  }
}
