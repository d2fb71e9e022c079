// Signs on their cells, drawn by rule from strokes with round ends, as in digit_generator/number.py.

export const SIGNS = '.,-:/+€$£%()'
/** A sign is drawn on a square of this size, its baseline at row BASELINE. */
export const CELL = 40
export const BASELINE = 30

const HIGH = 20 // over the baseline
const RING = 2.8 // the radius of the circles of %

/** A sign, [40 * 40] of 0 background ... 255 ink; thickness in pixels, slant in radians, seven chances in -1...1. */
export function cellOfSign(character, thickness, slant, chance) {
  const lean = Math.tan(slant)
  const ink = new Float64Array(CELL * CELL)
  for (const [points, width] of strokesOf(character, thickness, ...chance.map((value) => 0.5 * value))) {
    const leaning = curve(points).map(([x, y]) => [x + lean * y, y])
    for (let piece = 1; piece < leaning.length; piece++) {
      for (let i = 0; i < ink.length; i++) {
        const [x, y] = [(i % CELL) + 0.5 - CELL / 2, BASELINE - (Math.floor(i / CELL) + 0.5)]
        const covered = width / 2 + 0.5 - distance(x, y, leaning[piece - 1], leaning[piece])
        if (covered > ink[i]) ink[i] = Math.min(1, covered)
      }
    }
  }
  return Uint8ClampedArray.from(ink, (value) => 255 * value)
}

// Strokes, each [points (to the right, over the baseline), straight up before the slant, thickness].
function strokesOf(character, thickness, a, b, c, d, e, f, g) {
  const dot = Math.max(thickness, 1.8) * 1.25
  const fine = Math.min(thickness, 2.8) // of signs with small counters, which a thick stroke would fill
  const middle = 8.5
  switch (character) {
    case '.':
      return [[[[0, dot / 2], [0.4 * a, dot / 2 + 0.4 * b]], dot]]
    case ',':
      return [
        [[[0.6, 2.2], [0.8 + 0.3 * a, 0.6], [-0.6 + 0.4 * b, -2.6 + c]], thickness],
        [[[0.5, 2.2], [0.6, 2]], dot],
      ]
    case '-':
      return [[[[-4 + a, middle + b], [0, middle + 0.4 + c], [4 + d, middle + e]], thickness]]
    case ':':
      return [
        [[[0, dot / 2 + 1], [0.4 * a, dot / 2 + 1 + 0.4 * b]], dot],
        [[[c, 12 + d], [c + 0.4 * e, 12 + d + 0.4 * f]], dot],
      ]
    case '/':
      return [[[[-5.5 + a, -3 + b], [c, 9.5 + d], [5.5 + e, HIGH + 2 + f]], thickness]]
    case '€':
      return [
        [[[5.4 + a, 16.2 + b], [2.2, HIGH - 0.8], [-2.4, 17], [-4.2, 10 + c], [-2.5, 3.2], [2.2, 0.9], [5.5 + d, 3.6 + e]], fine],
        [[[-7 + f, 11.8], [1.8 + g, 12.1]], fine],
        [[[-7.2 + g, 7.2], [1.4 + f, 7.5]], fine],
      ]
    case '$':
      return [
        [[[4.4 + a, 15 + b], [1, 17.2], [-3.6, 15.2], [-2.6, 11.6], [2.4, 8.6], [4, 5 + c], [-0.4, 2.2], [-4.8 + d, 4.6 + e]], fine],
        [[[0.2 + f, HIGH + 2], [0.2 + g, -2.2]], fine],
      ]
    case '£':
      return [
        [[[5 + a, 15.4 + b], [2, HIGH - 0.8], [-1.8, 15.6], [-1.4, 8.6 + c], [-2.2, 3.2], [-5.2, 0.9]], fine],
        [[[-5.2, 0.9], [0.4, 1.5 + d], [5.4, 0.9 + e]], fine],
        [[[-5.4 + f, 9.2], [3 + g, 9.6]], fine],
      ]
    case '%':
      return [
        [[[-4.8 + a, 0.4 + b], [c, 9.8], [5.2 + d, HIGH - 0.4 + e]], fine],
        [ring(-4.8, 15.6 + f), fine],
        [ring(5.2, 4.2 + g), fine],
      ]
    case '(':
      return [[[[2.2 + a, HIGH + 1.5 + b], [-2.2 + c, 9 + d], [2.2 + e, -3 + f]], thickness]]
    case ')':
      return [[[[-2.2 + a, HIGH + 1.5 + b], [2.2 + c, 9 + d], [-2.2 + e, -3 + f]], thickness]]
    default: // +
      return [
        [[[-5 + a, middle + b], [0, middle + c], [5 + d, middle + b]], thickness],
        [[[e, middle - 5 + f], [e + 0.3 * g, middle], [e, middle + 5 + g]], thickness],
      ]
  }
}

// Two points as they are; through three, a bow (a quadratic Bézier curve) of eight straight pieces; through more, a
// smooth line (Catmull and Rom 1974) of four straight pieces between each two.
function curve(points) {
  if (points.length === 2) return points
  if (points.length > 3) return smoothLine(points)
  const [start, through, end] = points
  return Array.from({ length: 9 }, (_, i) => {
    const t = i / 8
    return [0, 1].map((axis) => {
      const control = 2 * through[axis] - (start[axis] + end[axis]) / 2
      return (1 - t) ** 2 * start[axis] + 2 * t * (1 - t) * control + t ** 2 * end[axis]
    })
  })
}

function smoothLine(points) {
  const last = points.length - 1
  const closed = points[0].every((value, axis) => value === points[last][axis])
  const around = [closed ? points[last - 1] : points[0], ...points, closed ? points[1] : points[last]]
  const places = []
  for (let i = 1; i <= last; i++) {
    for (const t of [0, 0.25, 0.5, 0.75]) {
      places.push(
        [0, 1].map((axis) => {
          const [before, start, end, after] = [-1, 0, 1, 2].map((step) => around[i + step][axis])
          const [away, into] = [(end - before) / 2, (after - start) / 2]
          const place = start + t * away + t ** 2 * (3 * (end - start) - 2 * away - into)
          return place + t ** 3 * (away + into - 2 * (end - start))
        }),
      )
    }
  }
  return [...places, points[last]]
}

function ring(x, y) {
  const around = Array.from({ length: 8 }, (_, turn) => (turn * Math.PI) / 4)
  const points = around.map((angle) => [x + RING * Math.cos(angle), y + RING * Math.sin(angle)])
  return [...points, points[0]]
}

// How far a place is from the straight piece between two points.
function distance(x, y, [startX, startY], [endX, endY]) {
  const [dx, dy] = [endX - startX, endY - startY]
  const along = ((x - startX) * dx + (y - startY) * dy) / Math.max(dx * dx + dy * dy, 1e-12)
  const share = Math.min(1, Math.max(0, along))
  return Math.hypot(x - startX - share * dx, y - startY - share * dy)
}
