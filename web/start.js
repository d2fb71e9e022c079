// The first script that runs, long before the network is there on a slow line.

import { addressFromState, START, stateFromAddress } from './address.js'

const PATIENCE = 300 // ms: on a fast line nobody sees the bar

const element = (id) => document.getElementById(id)

element('not-started').remove()
// The five pictures in index.html are those of an address without parameters.
const { state } = stateFromAddress(location.search)
if (addressFromState(state) !== addressFromState(START)) element('five').replaceChildren()
document.querySelector(`#digit [value="${state.digit}"]`).checked = true
element('seed').value = state.seed
setTimeout(() => {
  if (element('loading')) element('loading').hidden = false
}, PATIENCE)
