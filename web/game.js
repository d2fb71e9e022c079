// Which one is real? Ten digits a round, by seed in order and none chosen; the score stays in this browser.

import { makePicture, showPixels } from './picture.js'
import { SIZE } from './network.js'
import { RandomState } from './random.js'

const REAL_DIGITS = 'real_digits.png' // ten rows, one for each digit, of the first thirty in MNIST's test set
export const REAL_PER_DIGIT = 30
const FIRST_SEED = 1000 // of the 0 of round 0; each digit and each round has its own
const KEY = 'digit-generator.game'
const START = { round: 0, right: 0, judged: 0 }

const element = (id) => document.getElementById(id)

/**
 * The ten tiles of a round, in the order in which they stand: {digit, generated, seed of a generated one, index of
 * a real one among those of its digit}. Each digit comes once. Whether it is generated is a throw of a coin, and the
 * next thirty rounds turn every coin round, so that no picture is seen twice within sixty.
 */
export function tilesOfRound(round) {
  const index = round % REAL_PER_DIGIT
  const turned = Math.floor(round / REAL_PER_DIGIT) % 2 === 1
  const draws = new RandomState(index).standardNormal(20) // ten coins, then ten places
  const order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].sort((a, b) => draws[10 + a] - draws[10 + b])
  return order.map((digit) => ({
    digit,
    generated: draws[digit] > 0 !== turned,
    seed: FIRST_SEED + 10 * round + digit,
    index,
  }))
}

/** Play in the section `game`. `redraw()` when the generator draws otherwise than before. */
export function startGame(generator) {
  let real
  let tiles = []
  let answered = false
  let score = storedScore()
  sheetOfRealDigits().then(start)
  return { redraw: () => tiles.filter((tile) => tile.generated).forEach(draw) }

  function start(sheet) {
    real = sheet
    if (real) {
      element('judge').addEventListener('click', () => (answered ? deal() : answer()))
      element('forget').addEventListener('click', () => {
        score = keepScore(START)
        deal()
      })
      deal()
      return
    }
    const sentence = `The real digits are missing: the server has no readable ${REAL_DIGITS} beside this page. `
    element('verdict').textContent = `${sentence}Run “make web” with MNIST’s folder as DATA_DIR, and reload.`
    for (const id of ['judge', 'forget']) element(id).hidden = true
  }

  function deal() {
    answered = false
    tiles = tilesOfRound(score.round).map((tile, place) => makeTile(tile, place))
    element('tiles').replaceChildren(...tiles.map((tile) => tile.figure))
    element('verdict').textContent = ''
    element('judge').textContent = 'Show the answer'
    element('rules').textContent =
      `Round ${score.round + 1}: a generated 0 has seed ${FIRST_SEED + 10 * score.round}, a 1 the next, and so on; ` +
      `real ones are number ${(score.round % REAL_PER_DIGIT) + 1} of their digit in MNIST’s test set. A coin decides ` +
      'between the two; nobody has chosen.'
    tell()
  }

  function answer() {
    answered = true
    for (const tile of tiles) reveal(tile)
    const right = tiles.filter((tile) => tile.right).length
    score = keepScore({ round: score.round + 1, right: score.right + right, judged: score.judged + tiles.length })
    const generated = tiles.filter((tile) => tile.generated).length
    element('verdict').textContent = `${right} of ten right. The network drew ${generated}, people wrote ${10 - generated}.`
    element('judge').textContent = 'Ten more'
    tell()
  }

  function tell() {
    const { right, judged } = score
    element('score').textContent = judged
      ? `So far ${right} of ${judged} right, ${Math.round((100 * right) / judged)} %. Guessing gives about 50 %.`
      : 'Guessing gives about 5 of ten. Your score stays in this browser.'
    element('forget').hidden = !judged
  }

  function makeTile(tile, place) {
    const canvas = makePicture('tile')
    if (tile.generated) draw({ ...tile, canvas })
    else canvas.getContext('2d').drawImage(real, -SIZE * tile.index, -SIZE * tile.digit)
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'picture'
    button.setAttribute('aria-pressed', 'false')
    button.setAttribute('aria-label', `Picture ${place + 1}, a ${tile.digit}: generated`)
    button.append(canvas)
    button.addEventListener('click', () =>
      button.setAttribute('aria-pressed', button.getAttribute('aria-pressed') !== 'true'),
    )
    const caption = document.createElement('figcaption')
    const figure = document.createElement('figure')
    figure.append(button, caption)
    return { ...tile, canvas, figure, button, caption, place }
  }

  function draw({ canvas, digit, seed }) {
    showPixels(canvas, generator.pixels(generator.latents(seed, digit), digit, seed))
  }

  function reveal(tile) {
    tile.right = (tile.button.getAttribute('aria-pressed') === 'true') === tile.generated
    const [mark, word] = [tile.right ? '✓' : '✗', tile.generated ? 'generated' : 'real']
    tile.button.disabled = true
    tile.button.setAttribute('aria-label', `Picture ${tile.place + 1}, a ${tile.digit}, is ${word}`)
    tile.figure.className = tile.right ? 'right' : 'wrong'
    tile.caption.textContent = `${mark} ${word}`
  }
}

async function sheetOfRealDigits() {
  const image = new Image()
  image.src = REAL_DIGITS
  try {
    await image.decode()
    return image
  } catch {
    return null
  }
}

// Storage may be forbidden, or hold what another page has written: then the score begins anew.

function storedScore() {
  try {
    const score = JSON.parse(localStorage.getItem(KEY))
    if (Object.keys(START).every((name) => Number.isSafeInteger(score[name]) && score[name] >= 0)) return score
  } catch {
    // as if there were none
  }
  return START
}

function keepScore(score) {
  try {
    localStorage.setItem(KEY, JSON.stringify(score))
  } catch {
    // it lasts as long as this page is open
  }
  return score
}
