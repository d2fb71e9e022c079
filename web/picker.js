// A digit picker: ten radio buttons, one Tab stop.

/**
 * Fill `fieldset` with the ten buttons. `onPick(digit)` is called when a visitor picks one. Returns a function that picks
 * a digit without that call.
 */
export function makePicker(fieldset, onPick) {
  const inputs = Array.from({ length: 10 }, (_, digit) => {
    const input = document.createElement('input')
    input.type = 'radio'
    input.name = fieldset.id
    input.value = digit
    input.addEventListener('change', () => onPick(digit))
    const label = document.createElement('label')
    label.append(input, String(digit))
    fieldset.append(label)
    return input
  })
  return (digit) => {
    inputs[digit].checked = true
  }
}
