// The page: load the network, then start its four sections. Read from here.

import { stateFromAddress } from './address.js'
import { fetchChoice } from './choose.js'
import { startDrawings } from './drawings.js'
import { startGame } from './game.js'
import { DigitGenerator } from './generate.js'
import { startInside } from './inside.js'
import { Network } from './network.js'
import { fetchWeights, WeightsError } from './weights.js'
import { startWriting } from './write.js'

const element = (id) => document.getElementById(id)

async function main() {
  try {
    const { tensors, digest, hasChoice } = await fetchWeights(showProgress)
    const choice = hasChoice ? await fetchChoice(digest) : null
    start(new DigitGenerator(new Network(tensors), choice), digest)
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    element('draw').hidden = true
    tell(error.message)
  } finally {
    element('loading').remove()
  }
}

function showProgress(share, size) {
  const megabytes = (size / 1e6).toFixed(1)
  element('loading').querySelector('progress').value = share
  element('loaded').textContent = `Loading the network: ${Math.round(100 * share)} % of ${megabytes} MB.`
}

function start(generator, digest) {
  const { state, problem } = stateFromAddress(location.search)
  if (problem) tell(problem)
  for (const section of document.querySelectorAll('main section, #live')) section.hidden = false
  element('controls').inert = false
  generator.raw = state.raw
  generator.neat = state.neat
  if (generator.neat !== state.neat) {
    tell(`This link asks for neat=${state.neat}, which these weights do not have. Showing the digits as they come.`)
  }
  const inside = startInside(generator)
  const game = startGame(generator)
  const writing = startWriting(generator, state)
  const redraw = () => [game, writing].forEach((section) => section.redraw())
  startDrawings(generator, state, { onShown: inside.follow, onVariant: redraw })
  element('hand').hidden = !generator.choice
  if (digest) element('weights').textContent = ` (weights ${digest.slice(0, 8)})`
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView()
  keepForOffline()
}

function tell(sentence) {
  element('problem').textContent = sentence
  element('problem').hidden = false
}

// A service worker stores the files of this page, so that it works offline.
async function keepForOffline() {
  if (!navigator.serviceWorker) return // not over plain http from another machine
  try {
    await navigator.serviceWorker.register('offline.js')
    await navigator.serviceWorker.ready
    element('offline').textContent = 'This page is stored in your browser and works offline.'
  } catch {
    // A private window may refuse it. The page then works online only.
  }
}

main()
