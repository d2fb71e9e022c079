// A digit picker: ten radio buttons, one Tab stop.

/**
 * Fill `fieldset` with the ten buttons, unless it has them. `onPick(digit)` is called when a visitor picks one. Returns a
 * function that picks a digit without that call.
 */
export function makePicker(fieldset, onPick) {
  if (!fieldset.elements.length) {
    for (let digit = 0; digit < 10; digit++) fieldset.append(makeLabel(fieldset.id, digit))
  }
  const inputs = [...fieldset.elements]
  for (const input of inputs) input.addEventListener('change', () => onPick(Number(input.value)))
  return (digit) => {
    inputs[digit].checked = true
  }
}

function makeLabel(name, digit) {
  const [label, input, face] = ['label', 'input', 'span'].map((tag) => document.createElement(tag))
  input.type = 'radio'
  input.name = name
  input.value = digit
  face.textContent = digit
  label.append(input, face)
  return label
}
