// A picture and sliders for z. While a slider is dragged, the picture shows frames that the server has made beforehand.
// When it is released, the server gets the new value and makes new frames for all sliders.

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector('.latents')
  if (!root) {
    root = document.createElement('div')
    root.className = 'latents'
    root.innerHTML = '<div class="frame" role="img"></div><div class="rows"></div>'
    parentElement.append(root)
  }
  const frame = root.querySelector('.frame')
  frame.setAttribute('aria-label', `the ${data.digit} made from these numbers`)
  show(data.picture, 0, 1)

  const rows = root.querySelector('.rows')
  const numbers = data.sliders.map((slider) => slider.number).join()
  if (rows.dataset.numbers !== numbers) {
    // New sliders only for other numbers of z; otherwise the same sliders keep the keyboard focus.
    rows.dataset.numbers = numbers
    rows.replaceChildren(...data.sliders.map(makeRow))
  }
  data.sliders.forEach((slider, index) => {
    const row = rows.children[index]
    const input = row.querySelector('input')
    const readout = row.querySelector('output')
    input.value = slider.value
    readout.textContent = slider.value.toFixed(1)
    input.oninput = () => {
      readout.textContent = Number(input.value).toFixed(1)
      show(slider.frames, Math.round((input.value - data.low) / data.step), data.frames)
    }
    input.onchange = () => setTriggerValue('moved', [slider.number, Number(input.value)])
  })

  function makeRow({ number }) {
    const row = document.createElement('label')
    row.innerHTML = `<span>z ${number + 1}</span><input type="range" min="${data.low}" max="${data.high}"><output></output>`
    row.querySelector('input').step = data.step
    return row
  }

  function show(source, index, count) {
    frame.style.backgroundImage = `url(${source})`
    frame.style.backgroundSize = `100% ${count * 100}%`
    frame.style.backgroundPosition = `0 ${count > 1 ? (100 * index) / (count - 1) : 0}%`
  }
}
