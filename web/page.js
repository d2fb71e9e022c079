// The page: load the network, then start its three sections. Read from here.

import { stateFromAddress } from './address.js'
import { fetchChoice } from './choose.js'
import { startDrawings } from './drawings.js'
import { startGame } from './game.js'
import { DigitGenerator } from './generate.js'
import { startInside } from './inside.js'
import { Network } from './network.js'
import { fetchWeights, WeightsError } from './weights.js'

const element = (id) => document.getElementById(id)

async function main() {
  element('not-started').remove()
  const loading = element('loading')
  const patience = setTimeout(() => (loading.hidden = false), 300) // ms: most visitors never see the bar
  try {
    const bar = loading.querySelector('progress')
    const { tensors, digest, hasChoice } = await fetchWeights((share) => (bar.value = share))
    const choice = hasChoice ? await fetchChoice(digest) : null
    start(new DigitGenerator(new Network(tensors), choice), digest)
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    tell(error.message)
  } finally {
    clearTimeout(patience)
    loading.hidden = true
  }
}

function start(generator, digest) {
  const { state, problem } = stateFromAddress(location.search)
  if (problem) tell(problem)
  for (const section of document.querySelectorAll('main section')) section.hidden = false
  generator.raw = state.raw
  const inside = startInside(generator)
  const game = startGame(generator)
  startDrawings(generator, state, { onShown: inside.follow, onRaw: game.redraw })
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
