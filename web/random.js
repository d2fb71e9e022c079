// Seeds -> z, the same numbers that NumPy draws: numpy.random.RandomState(seed).standard_normal(count).

export const LATENT_SIZE = 100
export const MAX_SEED = 2 ** 32 - 1

const WORDS = 624
const MIDDLE = 397

/** The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) with NumPy's frozen polar Gauss (NEP 19). */
export class RandomState {
  #state = new Uint32Array(WORDS)
  #next = WORDS
  #spare = null // the second number of a Gaussian pair, until it is asked for

  /** `seed` is a whole number, 0...2^32-1, or an array of them, for a stream of its own. */
  constructor(seed) {
    if (Array.isArray(seed)) this.#fromArray(seed)
    else this.#fromNumber(seed)
  }

  #fromNumber(seed) {
    this.#state[0] = seed
    for (let i = 1; i < WORDS; i++) {
      const before = this.#state[i - 1] ^ (this.#state[i - 1] >>> 30)
      this.#state[i] = Math.imul(before, 1812433253) + i
    }
  }

  // As init_by_array of Matsumoto and Nishimura (2002).
  #fromArray(key) {
    this.#fromNumber(19650218)
    const state = this.#state
    let at = 1
    const step = (factor, added) => {
      const before = state[at - 1] ^ (state[at - 1] >>> 30)
      state[at] = (state[at] ^ Math.imul(before, factor)) + added
      if (++at < WORDS) return
      state[0] = state[WORDS - 1]
      at = 1
    }
    for (let i = 0; i < Math.max(WORDS, key.length); i++) step(1664525, key[i % key.length] + (i % key.length))
    for (let i = 1; i < WORDS; i++) step(1566083941, -at)
    state[0] = 0x80000000
  }

  /** `count` numbers, evenly from [low, high): Float64Array. */
  uniform(low, high, count) {
    return Float64Array.from({ length: count }, () => low + (high - low) * this.#double())
  }

  /** `count` numbers from N(0, 1): Float64Array. */
  standardNormal(count) {
    return Float64Array.from({ length: count }, () => this.#gauss())
  }

  // Marsaglia's polar method: a point drawn evenly from the unit disc gives two numbers, the second one first.
  #gauss() {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    let x, y, square
    do {
      x = 2 * this.#double() - 1
      y = 2 * this.#double() - 1
      square = x * x + y * y
    } while (square >= 1 || square === 0)
    const factor = Math.sqrt((-2 * Math.log(square)) / square)
    this.#spare = factor * x
    return factor * y
  }

  // Evenly from [0, 1) in steps of 2^-53.
  #double() {
    const high = this.#word() >>> 5
    const low = this.#word() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  #word() {
    if (this.#next === WORDS) this.#twist()
    let word = this.#state[this.#next++]
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    return (word ^ (word >>> 18)) >>> 0
  }

  #twist() {
    const state = this.#state
    for (let i = 0; i < WORDS; i++) {
      const joined = (state[i] & 0x80000000) | (state[(i + 1) % WORDS] & 0x7fffffff)
      state[i] = state[(i + MIDDLE) % WORDS] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0)
    }
    this.#next = 0
  }
}

/** z `number`, from 0, of a seed's stream, a hundred numbers each: Float64Array [100], N(0, I). */
export function latentsFromSeed(seed, number = 0) {
  return new RandomState(seed).standardNormal(LATENT_SIZE * (number + 1)).subarray(-LATENT_SIZE)
}
