// Pixels -> an outline that runs where the ink is half: sharp at every size, as digit_generator/render.py draws it.

import { SIZE } from './network.js'

/** The colours of a picture in ink. */
export const INK = '#1b1b1f'
export const PAPER = '#fbfaf8'

const HALF = 127.5
const BORDER = SIZE + 2 // one pixel of background around, so that every outline closes
const FEWEST = 6 // control points of an outline

/** pixels, [784], what they show, and whether in ink on paper -> the text of an SVG, else white on black. */
export function svgFromPixels(pixels, title, ink = false) {
  const [back, front] = ink ? [PAPER, INK] : ['#000', '#fff']
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE} ${SIZE}" width="280" height="280" role="img">` +
    `<title>${title}</title><path fill="${back}" d="M0 0h${SIZE}v${SIZE}H0z"/>` +
    `<path fill="${front}" fill-rule="evenodd" d="${outlineFromPixels(pixels)}"/></svg>\n`
  )
}

/** pixels, [784] -> the outline, as the d of an SVG's path in pixels, holes by the even-odd rule. */
export function outlineFromPixels(pixels) {
  return lines(pixels).map(spline).join('')
}

// A closed line as a quadratic B-spline: its control points lie on the line, about a pixel apart (closer together, the
// curve would have corners), and the middles between them lie on the curve.
function spline(line) {
  const ends = line.map((point, i) => [point, line[(i + 1) % line.length]])
  const along = [0]
  for (const [[x, y], [nextX, nextY]] of ends) along.push(along.at(-1) + Math.hypot(nextX - x, nextY - y))
  const count = Math.max(FEWEST, Math.round(along.at(-1)))
  let piece = 0
  const controls = Array.from({ length: count }, (_, i) => {
    const place = (along.at(-1) * i) / count
    while (along[piece + 1] < place) piece++
    const share = (place - along[piece]) / (along[piece + 1] - along[piece] || 1)
    const [from, to] = ends[piece]
    return [0, 1].map((axis) => from[axis] + share * (to[axis] - from[axis]))
  })
  const text = (point) => point.map((value) => value.toFixed(2)).join(' ')
  const middles = controls.map((point, i) => point.map((value, axis) => (value + controls[(i + 1) % count][axis]) / 2))
  return `M${text(middles.at(-1))}${controls.map((control, i) => `Q${text(control)} ${text(middles[i])}`).join('')}Z`
}

// Marching squares (Lorensen and Cline 1987, in two dimensions). A cell lies between four pixel centres; an outline
// crosses its edges where the grey, taken to change evenly, is half. Every crossing belongs to two cells, so that
// going from cell to cell comes back to where it began.
function lines(pixels) {
  const grey = (x, y) =>
    x < 1 || y < 1 || x > SIZE || y > SIZE ? 0 : pixels[(y - 1) * SIZE + x - 1]
  const next = new Map() // from a crossing to the one after it, with the ink on its right
  for (let y = 0; y < BORDER - 1; y++) {
    for (let x = 0; x < BORDER - 1; x++) {
      for (const [from, to] of linesOfCell(grey, x, y)) next.set(from, to)
    }
  }
  const found = []
  while (next.size) {
    const points = []
    for (let at = next.keys().next().value; next.has(at); ) {
      points.push(crossing(grey, at))
      const after = next.get(at)
      next.delete(at)
      at = after
    }
    found.push(points)
  }
  return found
}

// The lines through the cell whose upper left pixel is (x, y), each from edge to edge. An edge is "x y h" (to the
// pixel on the right) or "x y v" (to the pixel below).
function linesOfCell(grey, x, y) {
  const edges = [`${x} ${y} h`, `${x + 1} ${y} v`, `${x} ${y + 1} h`, `${x} ${y} v`] // top, right, bottom, left
  const corners = [grey(x, y), grey(x + 1, y), grey(x + 1, y + 1), grey(x, y + 1)]
  const ink = corners.map((value) => value > HALF)
  // Walking around the cell clockwise, ink begins behind edge i where corner i has none and corner i + 1 has.
  const begins = [0, 1, 2, 3].filter((i) => !ink[i] && ink[(i + 1) % 4])
  const ends = [0, 1, 2, 3].filter((i) => ink[i] && !ink[(i + 1) % 4])
  if (begins.length < 2) return begins.map((begin, i) => [edges[ends[i]], edges[begin]])
  // Two opposite corners have ink: the mean of the four says whether they are joined.
  const joined = corners.reduce((sum, value) => sum + value) / 4 > HALF
  return begins.map((begin) => {
    const end = (begin + (joined ? 3 : 1)) % 4
    return [edges[end], edges[begin]]
  })
}

// Where an edge is crossed, in pixels from the picture's upper left corner.
function crossing(grey, edge) {
  const [x, y, direction] = [...edge.split(' ').slice(0, 2).map(Number), edge.at(-1)]
  const [right, down] = direction === 'h' ? [1, 0] : [0, 1]
  const [from, to] = [grey(x, y), grey(x + right, y + down)]
  const share = (HALF - from) / (to - from)
  return [x - 0.5 + right * share, y - 0.5 + down * share]
}
