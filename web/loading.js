// What both pages do: load the network, tell what goes wrong, and keep the page for use without a network.

import { fetchChoice } from './choose.js'
import { DigitGenerator } from './generate.js'
import { Network } from './network.js'
import { fetchWeights, WeightsError } from './weights.js'

const element = (id) => document.getElementById(id)

/** Load the network, then await start(generator, digest of its weights, their tensors). If it fails, hide `section` and say why. */
export async function load(section, start) {
  try {
    const { tensors, digest, hasChoice } = await fetchWeights(showProgress)
    const choice = hasChoice ? await fetchChoice(digest) : null
    await start(new DigitGenerator(new Network(tensors), choice), digest, tensors)
    if (digest) element('weights').textContent = ` (weights ${digest.slice(0, 8)})`
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    element(section).hidden = true
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

/** Show a sentence above everything. */
export function tell(sentence) {
  element('problem').textContent = sentence
  element('problem').hidden = false
}

/** A service worker stores the files of this page, so that it works offline. */
export async function keepForOffline() {
  if (!navigator.serviceWorker) return // not over plain http from another machine
  try {
    await navigator.serviceWorker.register('offline.js')
    await navigator.serviceWorker.ready
    element('offline').textContent = 'This page is stored in your browser and works offline.'
  } catch {
    // A private window may refuse it. The page then works online only.
  }
}
