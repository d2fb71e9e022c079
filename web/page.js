// The page: load the network, then start its four sections. Read from here.

import { showInAddress, stateFromAddress } from './address.js'
import { startDrawings } from './drawings.js'
import { startGame } from './game.js'
import { startInside } from './inside.js'
import { keepForOffline, load, tell } from './loading.js'
import { startWriting } from './write.js'

const element = (id) => document.getElementById(id)

load('draw', (generator) => {
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
  const writing = startWriting(generator, state, showInAddress)
  const redraw = () => [game, writing].forEach((section) => section.redraw())
  startDrawings(generator, state, { onShown: inside.follow, onVariant: redraw })
  element('hand').hidden = !generator.choice
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView()
  keepForOffline()
})
