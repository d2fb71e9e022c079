// A whole number in one hand: digits of the network, and signs drawn by rule, on one line. The pixels are those of
// digit_generator/number.py, which gives the reasons.

import { handLatents, median } from './style.js'
import { rounded, SIZE } from './network.js'
import { MAX_SEED, RandomState } from './random.js'
import { estimatedShapes } from './shapes.js'
import { CELL, cellOfSign, BASELINE, SIGNS } from './signs.js'

export const MAX_CHARACTERS = 200
const CHARACTERS = `0123456789${SIGNS} `
const INK = 64 // from this on, a pixel counts as ink
const HEIGHT = 20
const MARGIN = 5
const GAP = 1.8
const BOX_GAP = 1
const SPACE = 9
const ALONE = 3
const SIGN_STREAM = 1

/** What is wrong with a text, as a sentence, or ''. */
export function faultOf(text) {
  const signs = [...SIGNS].join(' ')
  if (!text.trim()) return `Expected digits, the signs ${signs} and spaces.`
  const characters = [...text]
  const at = characters.findIndex((character) => !CHARACTERS.includes(character))
  if (at >= 0) {
    return `'${characters[at]}' (character ${at + 1}) cannot be written: expected digits, the signs ${signs} and spaces.`
  }
  if (text.length > MAX_CHARACTERS) {
    return `The text has ${text.length} characters: expected ${MAX_CHARACTERS} at most.`
  }
  return ''
}

/**
 * A text without fault, in the hand of a seed. `onProgress(share)` is called as digits are drawn, and may return false to
 * stop: then there is no line, null. A line is {width, height, pixels: Uint8ClampedArray row by row, boxes: for each
 * character [left, top, right, bottom] of its ink in pixels, null for a space}.
 */
export async function writeNumber(generator, text, seed, onProgress = () => true) {
  const digits = [...text].filter((character) => /\d/.test(character)).map(Number)
  const labels = digits.length ? digits : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] // signs alone have the hand of the ten digits
  const z = await handLatents(generator, seed, labels, onProgress)
  if (!z) return null
  const hand = z.map((each, i) => generator.pixels(each, labels[i], (seed + i) % (MAX_SEED + 1), false))
  return lineFromCells(text, hand.slice(0, digits.length), seed, hand)
}

function lineFromCells(text, cells, seed, hand) {
  const inked = hand.filter((pixels) => pixels.some(Boolean))
  const shapes = inked.map((pixels) => estimatedShapes(Float64Array.from(pixels, (value) => value / 255)).shapes)
  const [thickness, slant] = shapes.length ? [0, 1].map((shape) => median(shapes.map((each) => each[shape]))) : [2.5, 0.1]
  const random = new RandomState([seed, SIGN_STREAM])
  const rest = cells.values()
  let drift = 0
  const glyphs = Array.from(text, (character) => {
    const chance = random.uniform(-1, 1, 8) // as many for every character: a longer text begins as a shorter one
    drift = 0.6 * drift + 0.8 * chance[0]
    if (character === ' ') return null
    if (/\d/.test(character)) return glyphFrom(rest.next().value, SIZE, null, rounded(drift))
    return glyphFrom(cellOfSign(character, thickness, slant, chance.subarray(1)), CELL, BASELINE, rounded(drift))
  })
  return set(glyphs, GAP + 0.4 * thickness)
}

// A character's cell and the box of its ink in it, which stands on the baseline if `baseline` is null.
function glyphFrom(cell, side, baseline, drift) {
  const rows = Array.from({ length: side }, (_, y) => Array.from(cell.subarray(y * side, (y + 1) * side), (v) => v >= INK))
  if (!rows.some((row) => row.some(Boolean))) rows.forEach((row) => row.fill(true)) // a blank cell keeps its place
  const [inRow, inColumn] = [rows.map((row) => row.some(Boolean)), rows[0].map((_, x) => rows.some((row) => row[x]))]
  const [top, bottom] = [inRow.indexOf(true), inRow.lastIndexOf(true) + 1]
  const [left, right] = [inColumn.indexOf(true), inColumn.lastIndexOf(true) + 1]
  const box = rows.slice(top, bottom).map((row) => row.slice(left, right))
  return {
    cell,
    side,
    top,
    left,
    width: right - left,
    height: bottom - top,
    over: top - (baseline ?? bottom) + drift, // negative: above the baseline
    // Where the ink begins and ends in every row of the box.
    first: box.map((row) => (row.includes(true) ? row.indexOf(true) : Infinity)),
    last: box.map((row) => (row.includes(true) ? row.lastIndexOf(true) + 1 : -Infinity)),
  }
}

// The glyphs side by side, as close as `gap` between their ink, and BOX_GAP between their boxes, allow.
function set(glyphs, gap) {
  const drawn = glyphs.filter(Boolean)
  const above = Math.max(HEIGHT, ...drawn.map((glyph) => -glyph.over)) + MARGIN // rows over the baseline
  const height = above + Math.max(0, ...drawn.map((glyph) => glyph.over + glyph.height)) + MARGIN
  const edge = new Float64Array(height).fill(-Infinity) // how far the ink has come to the right, in every row
  let [end, pending] = [0, 0] // where the last box ends; the spaces since
  for (const glyph of glyphs) {
    if (!glyph) {
      pending += SPACE
      continue
    }
    const start = above + glyph.over
    let left = 0
    if (drawn[0] !== glyph) {
      const closest = glyph.first.reduce((most, first, i) => {
        const near = edge.subarray(Math.max(start + i - ALONE, 0), start + i + ALONE + 1)
        return Math.max(most, Math.max(...near) - first)
      }, -Infinity)
      left = Math.max(end + BOX_GAP, Number.isFinite(closest) ? rounded(closest + gap) : 0)
    }
    glyph.x = left + pending
    glyph.y = start
    glyph.last.forEach((last, i) => (edge[start + i] = Math.max(edge[start + i], glyph.x + last)))
    ;[end, pending] = [glyph.x + glyph.width, 0]
  }
  const width = end + pending + 2 * MARGIN
  const pixels = new Uint8ClampedArray(width * height)
  for (const glyph of drawn) lay(glyph, pixels, width, height)
  const boxes = glyphs.map((glyph) =>
    glyph ? [glyph.x + MARGIN, glyph.y, glyph.x + MARGIN + glyph.width, glyph.y + glyph.height] : null,
  )
  return { width, height, pixels, boxes }
}

// Lay the cell on the picture, faint edges included; what lies outside the picture is left out.
function lay({ cell, side, x, y, top, left }, pixels, width, height) {
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [down, across] = [y - top + row, x + MARGIN - left + column]
      if (down < 0 || down >= height || across < 0 || across >= width) continue
      const place = down * width + across
      pixels[place] = Math.max(pixels[place], cell[row * side + column])
    }
  }
}
