// The page: load the network, then draw, play and look inside. Read from here.

import { stateFromAddress } from './address.js'
import { startDrawings } from './drawings.js'
import { startGame } from './game.js'
import { startInside } from './inside.js'
import { Generator } from './network.js'
import { fetchWeights, WeightsError } from './weights.js'

const element = (id) => document.getElementById(id)

async function main() {
  element('not-started').remove()
  const loading = element('loading')
  const patience = setTimeout(() => (loading.hidden = false), 300) // ms: most visitors never see it
  try {
    const bar = loading.querySelector('progress')
    const { tensors, digest } = await fetchWeights((share) => (bar.value = share))
    start(new Generator(tensors), digest)
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
  const inside = startInside(generator)
  startDrawings(generator, state, (digit, z) => inside.follow(digit, z))
  startGame(generator)
  if (digest) element('weights').textContent = ` (weights ${digest.slice(0, 8)})`
  if (location.hash) document.querySelector(`section${location.hash}`)?.scrollIntoView()
  keepForOffline()
}

function tell(sentence) {
  element('problem').textContent = sentence
  element('problem').hidden = false
}

// A service worker keeps the files of this page, so that it opens without a network.
async function keepForOffline() {
  if (!navigator.serviceWorker) return // not over plain http from another machine
  try {
    await navigator.serviceWorker.register('offline.js')
    await navigator.serviceWorker.ready
    element('offline').textContent = 'It is kept in this browser and opens without a network.'
  } catch {
    // Private windows may refuse. The page works as before, with a network.
  }
}

main()
