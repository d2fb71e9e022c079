// A picture and sliders of z. While a slider is dragged its frames are shown, drawn by the server beforehand; let go,
// the server is told the new value and draws the frames of all sliders anew.

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector('.latents')
  if (!root) {
    root = document.createElement('div')
    root.className = 'latents'
    root.innerHTML = '<div class="frame" role="img"></div><div class="rows"></div>'
    parentElement.append(root)
  }
  const frame = root.querySelector('.frame')
  frame.setAttribute('aria-label', `the ${data.digit} that these numbers make`)
  show(data.picture, 0, 1)

  const rows = root.querySelector('.rows')
  const numbers = data.sliders.map((slider) => slider.number).join()
  if (rows.dataset.numbers !== numbers) {
    // other numbers of z: other sliders; else they stay, with the keyboard's focus on one of them
    rows.dataset.numbers = numbers
    rows.replaceChildren(...data.sliders.map(makeRow))
  }
  data.sliders.forEach((slider, index) => {
    const row = rows.children[index]
    const input = row.querySelector('input')
    const said = row.querySelector('output')
    input.value = slider.value
    said.textContent = slider.value.toFixed(1)
    input.oninput = () => {
      said.textContent = Number(input.value).toFixed(1)
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
