// The slider from "as it comes" to "neat", and what each of its positions costs.

const element = (id) => document.getElementById(id)

const AS_IT_COMES = element('cost').textContent

/** Start the slider, if the choice has positions. `onNeat(position)` follows it. Returns a function that shows one. */
export function startNeat(choice, onNeat) {
  const positions = choice?.positions ?? []
  element('neatness').hidden = positions.length < 2
  element('neat').addEventListener('change', () => onNeat(Number(element('neat').value)))
  return (neat) => {
    element('neat').value = neat
    element('neat').setAttribute('aria-valuetext', neat === 0 ? 'as it comes' : `neat, ${neat} of ${positions.length - 1}`)
    element('cost').textContent = costOf(positions, neat)
  }
}

function costOf(positions, neat) {
  const [now, first] = [positions[neat], positions[0]]
  if (!neat) return AS_IT_COMES
  const percent = (share) => `${(100 * share).toFixed(1)} %`
  const told = [
    ['broken shapes', 'broken', percent],
    ['variety (recall)', 'recall', percent],
    ['distance from real digits (FID)', 'fid', (distance) => distance.toFixed(2)],
  ]
    .filter(([, name]) => name in now && name in first)
    .map(([what, name, text]) => `${what} ${text(now[name])} instead of ${text(first[name])}`)
  return `Rejects ${percent(now.rejected)} of the random numbers${told.length ? `: ${told.join(', ')}` : ''}.`
}
