// State of the page <-> its address: ?digit=7&seed=42, &at=1.5 for a place among the five, &neat=2,
// &ink=1, &raw=1, and &text=2026&hand=5 for the number that is written.

import { MAX_SEED } from './random.js'

/** How many pictures stand in a row: the seeds from `seed` on. */
export const COUNT = 5
/** The last of the positions of Neat, as in digit_generator/choose.py. */
export const NEATEST = 4
const LONGEST = 1000
const MAX_FIRST = MAX_SEED - COUNT + 1

/**
 * The state that a visitor sees first: digit 0...9, seed of the first of five, at 0...4 among the five, neat 0...4, ink
 * and raw 0 or 1, the text of a number and the seed of its hand.
 */
export const START = { digit: 7, seed: 0, at: 0, neat: 0, ink: 0, raw: 0, text: '2026', hand: 0 }

/** The state that an address asks for, and a sentence on its invalid values, or ''. */
export function stateFromAddress(search) {
  const asked = new URLSearchParams(search)
  const faults = []
  const number = (name, most, pattern) => {
    const text = asked.get(name)
    if (text === null) return START[name]
    if (pattern.test(text) && Number(text) <= most) return Number(text)
    faults.push(`${name}=${text.slice(0, 20)} (expected: a ${name === 'at' ? '' : 'whole '}number from 0 to ${most})`)
    return START[name]
  }
  const digit = number('digit', 9, /^\d$/)
  const seed = number('seed', MAX_SEED, /^\d{1,10}$/)
  const at = number('at', COUNT - 1, /^\d(\.\d{1,2})?$/)
  const neat = number('neat', NEATEST, /^\d$/)
  const [ink, raw] = ['ink', 'raw'].map((name) => number(name, 1, /^[01]$/) === 1)
  const hand = number('hand', MAX_SEED, /^\d{1,10}$/)
  const text = (asked.get('text') ?? START.text).slice(0, LONGEST) // what it may hold is said where it is written
  const problem = faults.length ? `This link asks for ${faults.join('; ')}. Showing the defaults for the invalid values.` : ''
  return { state: { digit, ...placed(seed, at), neat, ink, raw, text, hand }, problem }
}

/** The first of five seeds and the place among them, such that no seed exceeds the largest seed. */
export function placed(seed, at = 0) {
  const first = Math.min(seed, MAX_FIRST)
  return { seed: first, at: Math.min(at + seed - first, COUNT - 1) }
}

/** The part of the address from the question mark on. */
export function addressFromState({ digit, seed, at, neat, ink, raw, text, hand }) {
  const rest = [at && `&at=${at}`, neat && `&neat=${neat}`, ink && '&ink=1', raw && '&raw=1']
  if (text !== START.text) rest.push(`&text=${encodeURIComponent(text)}`)
  if (hand !== START.hand) rest.push(`&hand=${hand}`)
  return `?digit=${digit}&seed=${seed}${rest.filter(Boolean).join('')}`
}

let shown = START

/** Put a part of the state into the address of the page, beside the rest. No entry is added that Back would lead to. */
export function showInAddress(part) {
  shown = { ...shown, ...part }
  history.replaceState(null, '', addressFromState(shown) + location.hash)
}
