// A person's hand: a z on a grid, and the weights that it is for. As text and as a file, as in digit_generator/hand.py.

import { rounded } from './network.js'
import { LATENT_SIZE } from './random.js'

export const STEPS = 32
export const MAX_DIGITS = 40
export const MAX_BYTES = 10000
export const SUFFIX = '.hand'
/** How much of each digit is its own in one hand: 0 none, 1 all. */
export const HAND_VARIATION = 0.35

const TEXT = /^([0-9a-f]{8})\.([A-Za-z0-9_-]{133}[AQgw])$/ // as HAND_PATTERN in digit_generator/recipe.py
const DIGEST = /^[0-9a-f]{8,64}$/

/** A hand that cannot be read or found, or of other weights. The message is a sentence for the visitor. */
export class HandError extends Error {}

/** One person's hand. It is never modified. */
export class Hand {
  /** z: a hundred multiples of 1/32 from -4 to 127/32. weightsDigest: SHA-256 of the weights, or how it begins. */
  constructor(z, weightsDigest) {
    this.z = Float64Array.from(z, (value) => value + 0) // no -0
    this.weightsDigest = weightsDigest
    const fits = this.z.every((value) => Number.isInteger(value * STEPS) && value >= -4 && value * STEPS <= 127)
    if (this.z.length !== LATENT_SIZE || !fits || !DIGEST.test(weightsDigest)) throw new HandError('It is no hand.')
  }

  /** The nearest hand to z, [100]. */
  static nearest(z, weightsDigest) {
    return new Hand(Float64Array.from(z, (value) => Math.max(-128, Math.min(127, rounded(value * STEPS))) / STEPS), weightsDigest || NO_FILE)
  }

  /** The hand as an address and a recipe hold it: 143 characters. */
  get text() {
    const steps = Uint8Array.from(this.z, (value) => value * STEPS)
    const letters = btoa(String.fromCharCode(...steps)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
    return `${this.weightsDigest.slice(0, 8)}.${letters}`
  }

  /** The hand that has this text. Throws HandError. */
  static fromText(text) {
    const [, digest, letters] = TEXT.exec(text) ?? []
    if (!letters) throw new HandError('It is no hand: expected the 143 characters of one.')
    const steps = Int8Array.from(atob(letters.replaceAll('-', '+').replaceAll('_', '/')), (byte) => byte.charCodeAt())
    return new Hand(Float64Array.from(steps, (step) => step / STEPS), digest)
  }

  /** The hand of a hand file's text. Throws HandError. */
  static fromFile(text) {
    try {
      const told = JSON.parse(text)
      if (told.format !== 1 || !told.z.every((value) => typeof value === 'number')) throw new HandError()
      return new Hand(told.z, told.weights_sha256)
    } catch {
      throw new HandError('It is no hand file of this program.')
    }
  }

  /** The text of a hand file. */
  async toFile() {
    const numbers = [...this.z].join(', ')
    return `{"format": 1, "name": "${await this.name()}", "weights_sha256": "${this.weightsDigest}",\n "z": [${numbers}]}\n`
  }

  /** What it is called: the first 8 hexadecimal digits of the SHA-256 of `text`; "my" where the browser computes none. */
  async name() {
    if (!crypto.subtle) return 'my' // over plain http from another machine
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(this.text)))
    return Array.from(digest.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** Throws HandError unless the hand is for the weights with this SHA-256. */
  checkWeights(digest) {
    if ((digest || NO_FILE).startsWith(this.weightsDigest)) return
    const [own, these] = [this.weightsDigest, digest].map((each) => each.slice(0, 8) || 'no file')
    throw new HandError(`The hand is for the weights ${own}, and these are ${these}: find it again from what was written.`)
  }
}

/** In the place of the SHA-256 of weights that are no file. */
export const NO_FILE = '0'.repeat(64)

/** The z of a hand, and a little of `own`, both [100]: N(0, I) if both are. */
export function variedLatents(z, own) {
  const kept = Math.sqrt(1 - HAND_VARIATION ** 2)
  return z.map((value, i) => kept * value + HAND_VARIATION * own[i])
}
