// The first script of "Your hand" that runs: one can write before the network is there.

import { Pad } from './pad.js'

document.getElementById('not-started').remove()

export const pad = new Pad()
