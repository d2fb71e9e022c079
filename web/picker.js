// Ten digits to pick one from: radio buttons, one stop for the keyboard.

/** Fill `fieldset` with the ten; `onPick(digit)` hears the visitor. Returns a function that picks one silently. */
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
