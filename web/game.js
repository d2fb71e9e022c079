// Which did the network draw? Ten digits a round, seeds in order, uncurated. The score stays in this browser.

import { makePicture, showPixels } from './picture.js'
import { SIZE } from './network.js'
import { RandomState } from './random.js'

const REAL_DIGITS = 'real_digits.png' // ten rows, one for each digit, of the first thirty in MNIST's test set
export const REAL_PER_DIGIT = 30
const FIRST_SEED = 1000 // of the 0 in round 0; every digit of every round has its own seed
const KEY = 'digit-generator.game'
const START = { round: 0, right: 0, judged: 0 }

const element = (id) => document.getElementById(id)

/**
 * The ten tiles of a round in their order: {digit, generated, seed if generated, index among the real ones of its digit
 * if real}. Each digit comes once. A coin toss decides whether it is generated. The next thirty rounds turn every coin
 * over, so that no picture appears twice within sixty rounds.
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

/** Start the game in the section `game`. Call `redraw()` when what draws has changed. */
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
    element('verdict').textContent = `${sentence}Run “make web” with DATA_DIR set to MNIST’s folder, and reload this page.`
    for (const id of ['judge', 'forget']) element(id).hidden = true
  }

  function deal() {
    answered = false
    tiles = tilesOfRound(score.round).map((tile, place) => makeTile(tile, place))
    element('tiles').replaceChildren(...tiles.map((tile) => tile.figure))
    element('verdict').textContent = ''
    element('judge').textContent = 'Show the answer'
    element('rules').textContent =
      `Round ${score.round + 1}: a generated 0 has seed ${FIRST_SEED + 10 * score.round}, a generated 1 the next seed, ` +
      `and so on. Each real digit is number ${(score.round % REAL_PER_DIGIT) + 1} of its kind in MNIST’s test set. ` +
      'A coin toss decides between generated and real; the pictures are uncurated.'
    tell()
  }

  function answer() {
    answered = true
    for (const tile of tiles) reveal(tile)
    const right = tiles.filter((tile) => tile.right).length
    score = keepScore({ round: score.round + 1, right: score.right + right, judged: score.judged + tiles.length })
    const generated = tiles.filter((tile) => tile.generated).length
    element('verdict').textContent = `${right} of 10 correct. The network drew ${generated}, people wrote ${10 - generated}.`
    element('judge').textContent = 'Ten more'
    tell()
  }

  function tell() {
    const { right, judged } = score
    element('score').textContent = judged
      ? `So far ${right} of ${judged} correct, ${Math.round((100 * right) / judged)} %. Guessing gets about 50 %.`
      : 'Guessing gets about 5 of 10 correct. Your score stays in this browser.'
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
    button.setAttribute('aria-label', `Picture ${place + 1}, a ${tile.digit}: drawn by the network`)
    button.append(canvas)
    const caption = document.createElement('figcaption')
    button.addEventListener('click', () => {
      const marked = button.getAttribute('aria-pressed') !== 'true'
      button.setAttribute('aria-pressed', marked)
      caption.textContent = marked ? 'You say: the network.' : ''
    })
    const figure = document.createElement('figure')
    figure.append(button, caption)
    return { ...tile, canvas, figure, button, caption, place }
  }

  function draw({ canvas, digit, seed }) {
    showPixels(canvas, generator.pixels(generator.latents(seed, digit, 0), digit, seed)) // uncurated, so never neater
  }

  function reveal(tile) {
    const marked = tile.button.getAttribute('aria-pressed') === 'true'
    tile.right = marked === tile.generated
    const is = tile.generated ? 'Drawn by the network' : 'Written by a person'
    tile.button.disabled = true
    tile.button.setAttribute('aria-label', `Picture ${tile.place + 1}, a ${tile.digit}`)
    tile.figure.className = tile.right ? 'right' : 'wrong'
    tile.caption.textContent = `${tile.right ? '✓' : '✗'} ${is}.\nYou said: ${marked ? 'the network' : 'a person'}.`
  }
}

/** The picture of the real digits; null if it cannot be read. */
export async function sheetOfRealDigits() {
  const image = new Image()
  image.src = REAL_DIGITS
  try {
    await image.decode()
    return image
  } catch {
    return null
  }
}

// Storage may be forbidden, or hold another page's data: then the score starts again from 0.

function storedScore() {
  try {
    const score = JSON.parse(localStorage.getItem(KEY))
    if (Object.keys(START).every((name) => Number.isSafeInteger(score[name]) && score[name] >= 0)) return score
  } catch {
    // no stored score
  }
  return START
}

function keepScore(score) {
  try {
    localStorage.setItem(KEY, JSON.stringify(score))
  } catch {
    // the score lasts until this page is closed
  }
  return score
}
