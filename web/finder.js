// A worker: reads digits and finds hands while the page stays alive.

import { Fit, smallest } from './fit.js'
import { Network } from './network.js'
import { Bank } from './starts.js'

let fit

self.addEventListener('message', ({ data: { tensors, bank, digits, last } }) => {
  if (tensors) {
    fit = new Fit(new Network(tensors), bank && new Bank(bank))
    return
  }
  const costs = digits.at(-1).costs ?? fit.costs(digits.at(-1).pixels)
  const label = last ?? smallest(costs)
  self.postMessage({ label, costs })
  const z = fit.hand([...digits.slice(0, -1), { ...digits.at(-1), label }], (share) => self.postMessage({ share }))
  self.postMessage({ z })
})
