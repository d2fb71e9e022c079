// Finish: from the raw picture to pixels made by MNIST's own scan rule, in integers only. The bytes are the same as
// those of digit_generator/finish.py, which explains the rule and where it comes from.

const SIDE = 28

// finish.py explains these numbers; a test compares them.
export const SCAN_SIZES = [
  [42, 50, 52, 53, 55, 60, 71, 73, 74, 76, 78, 84, 86, 88, 90, 91, 94],
  [41, 51, 53, 55, 57, 59, 61, 63, 68, 70, 71, 73, 74, 75, 78, 85, 92],
  [41, 48, 51, 54, 57, 58, 60, 62, 65, 66, 68, 69, 71, 72, 75, 89, 94],
  [41, 45, 48, 49, 51, 53, 54, 56, 58, 59, 60, 62, 63, 68, 74, 79, 91],
  [35, 39, 43, 46, 48, 50, 52, 54, 55, 56, 57, 58, 60, 61, 62, 64, 69],
]
export const STROKE_BOUNDS = [571, 648, 718, 820]
export const ROUGHNESS = 10
export const SMALLEST_PIECE = 8
export const KEPT_WHITE = [0, 1, 1, 1, 1, 1, 2, 2, 3, 4]

const UNIT = 64 // a cubic weight of 1
const GIVEN_BACK = 4 // one part in so many of what the cut took is given back
const HALF = (GIVEN_BACK * 255 * UNIT * UNIT) / 2 // half of the ink, in the unit of the enlarged picture
const BOX = 20
const SMALLEST_CROP = 10 // scan pixels: no smaller square is enlarged to 20x20

/**
 * Raw pixels, [784], of a digit 0...9 and a seed -> finished pixels, Uint8ClampedArray [784]: cropped to the ink,
 * averaged into 20x20 and placed by the centre of mass.
 */
export function finishedPixels(raw, digit, seed) {
  const { scan, size } = scanFromPixels(raw, digit, seed)
  return boxedPixels(scan, size, chanceOf(digit, seed))
}

/** As finishedPixels, but without centring: for moving pictures, which must not jump by a pixel. */
export function edgedPixels(raw, digit, seed) {
  const { scan, size } = scanFromPixels(raw, digit, seed)
  return inPlace(scan, size)
}

/** The black-and-white scan that the rule is applied to: {scan: Uint8Array [size * size], 1 for ink; size}. */
export function scanFromPixels(raw, digit, seed) {
  const chance = chanceOf(digit, seed)
  const size = scanSize(raw, chance)
  const enlarge = enlargement(size)
  const enlarged = (picture) => bothWays(enlarge, enlarge, picture, SIDE) // [size, size]
  const averaged = inPlace(cut(enlarged(Int32Array.from(raw, (grey) => GIVEN_BACK * grey)), chance), size)
  const given = Int32Array.from(raw, (grey, place) => GIVEN_BACK * grey + grey - averaged[place])
  const scan = cut(enlarged(given), chance)
  dropSmallPieces(scan, size)
  return { scan, size }
}

// Where the field is over half of the ink, by chance a little more or less: 1 for ink.
function cut(field, chance) {
  return Uint8Array.from(field, (value, place) => {
    let over = value - HALF
    // Chance matters only near half.
    if (Math.abs(over) <= ROUGHNESS * 32768) over += ROUGHNESS * ((hashed(chance + place) & 0xffff) - 32768)
    return over > 0 ? 1 : 0
  })
}

// Area average into 28x28.
function inPlace(scan, size) {
  const average = averagesInPlace(size)
  const cover = bothWays(average, average, scan, size) // [28, 28], 0 ... size^2
  return Uint8ClampedArray.from(cover, (value) => Math.floor((255 * value) / size ** 2))
}

// The number that decides all random choices for one picture.
function chanceOf(digit, seed) {
  return hashed(hashed(seed) ^ (digit + 1))
}

/** A whole number, taken modulo 2^32 -> 0...2^32-1 (MurmurHash3's finaliser, Appleby 2011). */
export function hashed(number) {
  let mixed = number ^ (number >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

// The stroke thickness (ink divided by edge) selects a row of SCAN_SIZES, chance a place in it.
function scanSize(raw, chance) {
  const grey = (y, x) => (y < 0 || x < 0 || y >= SIDE || x >= SIDE ? 0 : raw[y * SIDE + x])
  const ink = raw.reduce((sum, value) => sum + value, 0)
  let edge = 0
  for (let y = 0; y <= SIDE; y++) {
    for (let x = 0; x <= SIDE; x++) {
      edge += Math.abs(grey(y, x) - grey(y - 1, x - 1)) + Math.abs(grey(y - 1, x) - grey(y, x - 1))
    }
  }
  const row = SCAN_SIZES[STROKE_BOUNDS.filter((bound) => 1000 * ink > bound * edge).length]
  const [column, part] = [chance % 16, Math.floor(chance / 16) % 16]
  return row[column] + Math.floor((part * (row[column + 1] - row[column]) + 8) / 16)
}

// Cubic convolution from 28 to `size` pixels (Keys 1981, a = -3/4): weights [size, 28].
function enlargement(size) {
  const unit = 2 * size // one pixel of the picture
  const weights = new Int32Array(size * SIDE)
  for (let row = 0; row < size; row++) {
    const centre = (2 * row + 1) * SIDE - size // of the scan's pixel, from the picture's first pixel's centre
    for (let column = 0; column < SIDE; column++) {
      const r = Math.abs(centre - column * unit)
      if (r >= 2 * unit) continue
      const cubic =
        r <= unit
          ? 5 * r ** 3 - 9 * r ** 2 * unit + 4 * unit ** 3
          : -3 * r ** 3 + 15 * r ** 2 * unit - 24 * r * unit ** 2 + 12 * unit ** 3
      weights[row * SIDE + column] = Math.floor(((cubic * UNIT) / 2 + unit ** 3) / (2 * unit ** 3))
    }
  }
  return weights
}

/** Erase the pieces (8-connected) of a scan, [size * size], that are much smaller than its largest one. */
export function dropSmallPieces(scan, size) {
  const pieces = new Int32Array(scan.length) // the number of the piece that each pixel belongs to; 0 is background
  const areas = [0]
  for (let start = 0; start < scan.length; start++) {
    if (scan[start] && !pieces[start]) areas.push(fill(scan, size, start, pieces, areas.length))
  }
  const largest = areas.reduce((a, b) => Math.max(a, b))
  for (let place = 0; place < scan.length; place++) {
    if (100 * areas[pieces[place]] < SMALLEST_PIECE * largest) scan[place] = 0
  }
}

// Number the piece around `start`; returns its area.
function fill(scan, size, start, pieces, number) {
  const waiting = [start]
  pieces[start] = number
  let area = 0
  while (waiting.length) {
    const place = waiting.pop()
    area++
    const [row, column] = [Math.floor(place / size), place % size]
    for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, size - 1); y++) {
      for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, size - 1); x++) {
        const near = y * size + x
        if (!scan[near] || pieces[near]) continue
        pieces[near] = number
        waiting.push(near)
      }
    }
  }
  return area
}

/**
 * A scan, [size * size], 1 for ink -> pixels, Uint8ClampedArray [784], by MNIST's rule: crop to a square, area average
 * into 20x20, brightest to 255, centre of mass. Without ink it is empty. `chance` as `hashed` gives it.
 */
export function boxedPixels(scan, size, chance) {
  const finished = new Uint8ClampedArray(SIDE * SIDE)
  let [top, bottom, left, right] = [size, 0, size, 0]
  scan.forEach((ink, place) => {
    if (!ink) return
    const [row, column] = [Math.floor(place / size), place % size]
    ;[top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)]
    ;[left, right] = [Math.min(left, column), Math.max(right, column + 1)]
  })
  if (bottom === 0) return finished // no ink
  const [height, width] = [bottom - top, right - left]
  const side = Math.max(height, width, SMALLEST_CROP)
  const down = placedAverages(top - Math.floor((side - height) / 2), side, size)
  const across = placedAverages(left - Math.floor((side - width) / 2), side, size)
  const cover = bothWays(down, across, scan, size) // [20, 20], 0 ... (5 side)^2
  const brightest = Math.min(25 * side ** 2, cover.reduce((a, b) => Math.max(a, b)))
  const levels = cover.map((value) => {
    // Truncated towards the middle grey, as MNIST's are.
    const darker = value > 0 && 2 * value <= brightest ? 1 : 0
    return Math.min(255, Math.floor((255 * value) / brightest) + darker)
  })
  if (side % BOX) dimTies(levels, chance)
  let [mass, downwards, rightwards] = [0, 0, 0]
  levels.forEach((level, place) => {
    mass += level
    downwards += level * Math.floor(place / BOX)
    rightwards += level * (place % BOX)
  })
  // floor(14.5 - centre of mass), within the picture.
  const [y, x] = [downwards, rightwards].map((moment) =>
    Math.max(0, Math.min(SIDE - BOX, Math.floor((29 * mass - 2 * moment) / (2 * mass)))),
  )
  for (let row = 0; row < BOX; row++) {
    finished.set(levels.subarray(row * BOX, (row + 1) * BOX), (y + row) * SIDE + x)
  }
  return finished
}

// 255 -> 254, except where chance keeps it.
function dimTies(levels, chance) {
  const luck = (place) => hashed(chance ^ (place + 0x10000))
  const white = [...levels.keys()].filter((place) => levels[place] === 255)
  white.sort((a, b) => luck(a) - luck(b) || a - b)
  const kept = KEPT_WHITE[Math.floor(chance / 256) % KEPT_WHITE.length]
  for (const place of white.slice(kept)) levels[place] = 254
}

// How much each of 20 pixels covers of each scan pixel in a row of `side` from `start` on: [20, size]. A pixel of the
// box is 5 * side units wide, a scan pixel 100. A scan pixel across a border counts as 99 wide: MNIST's rule has this
// flaw.
function placedAverages(start, side, size) {
  const cover = new Int32Array(BOX * size)
  const unit = 5 * side
  for (let pixel = Math.max(0, -start); pixel < side && start + pixel < size; pixel++) {
    const [from, to] = [100 * pixel, 100 * pixel + 99]
    const [first, last] = [Math.floor(from / unit), Math.ceil(to / unit) - 1]
    for (let row = first; row <= last; row++) {
      const part = Math.min(to, unit * (row + 1)) - Math.max(from, unit * row)
      cover[row * size + start + pixel] = first === last ? 100 : part
    }
  }
  return cover
}

// From the scan to 28 pixels in place, [28, size]: a pixel of the picture is `size` units wide, one of the scan 28.
function averagesInPlace(size) {
  const cover = new Int32Array(SIDE * size)
  for (let row = 0; row < SIDE; row++) {
    for (let pixel = 0; pixel < size; pixel++) {
      const over = Math.min((row + 1) * size, (pixel + 1) * SIDE) - Math.max(row * size, pixel * SIDE)
      cover[row * size + pixel] = Math.max(0, over)
    }
  }
  return cover
}

// down @ picture @ across.T: [outer, inner], [inner, inner], [outer, inner] -> [outer, outer].
function bothWays(down, across, picture, inner) {
  return turnedProduct(across, turnedProduct(down, picture, inner), inner)
}

// (weights @ x).T: [rows, inner], [inner, columns] -> [columns, rows]. Most weights are 0.
function turnedProduct(weights, x, inner) {
  const [rows, columns] = [weights.length / inner, x.length / inner]
  const product = new Int32Array(columns * rows)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < inner; i++) {
      const weight = weights[row * inner + i]
      if (weight === 0) continue
      for (let from = i * columns, to = row; to < product.length; from++, to += rows) product[to] += weight * x[from]
    }
  }
  return product
}
