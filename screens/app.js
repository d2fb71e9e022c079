// What Streamlit has no widget for, or only one that takes it long: a picture opens large when it is pressed, buttons that
// save and copy, the keys, and an address that is replaced instead of added, so that one press of Back leaves a page.
// Runs once, for all pages (app.py). No tag may stand in it: Streamlit's check of HTML would take it for an attack.

if (!window.digitGenerator) {
  window.digitGenerator = true

  // Streamlit adds an entry to the history for every change of the address, and Back would not bring a drawing back.
  const push = history.pushState
  history.pushState = function (state, unused, url) {
    const same = url != null && new URL(url, location.href).pathname === location.pathname
    return (same ? history.replaceState : push).call(history, state, unused, url)
  }

  // Digits are what is typed most; Apple's numeric keyboard would have no signs at all.
  document.addEventListener('focusin', ({ target }) => {
    if (target.closest('.st-key-number-text') && !/iP(hone|ad|od)/.test(navigator.userAgent)) target.inputMode = 'numeric'
  })

  const all = (selector, within = document) => [...within.querySelectorAll(selector)]

  document.addEventListener('click', (event) => {
    const picture = event.target.closest('.pictures button')
    if (picture) return show(all('.pictures button').indexOf(picture))
    const saved = event.target.closest('button[data-save]')
    if (saved) return save(all('.pictures .enlarged')[all('button[data-save]').indexOf(saved)].src, saved.dataset.save)
    const zipped = event.target.closest('button[data-zip]')
    if (zipped) return saveAll(zipped.dataset.zip)
    const back = event.target.closest('button[data-back]')
    if (back) return all('[class*=st-key-bring_back] button')[back.dataset.back].click()
    const copied = event.target.closest('button[data-copy]')
    if (copied) return told(copied.parentElement, 'Command copied.', () => navigator.clipboard.writeText(copied.dataset.copy))
    const button = event.target.closest('.large button[data-do]')
    if (button) actions[button.dataset.do](button.closest('.large'))
  })

  // The large picture is whichever of the row was pressed last.
  const shownLarge = () => document.querySelector('.large')
  let pressed // the picture, and the set that it is of
  function show(index) {
    pressed = { set: setShown(), index }
    enlarge(index)
    shownLarge().querySelector('.huge').scrollIntoView({ block: 'nearest', behavior: calm() ? 'auto' : 'smooth' })
    detailsOf(shownLarge())
  }

  const setShown = () => JSON.stringify({ ...document.querySelector('.drawn').dataset })

  function enlarge(index) {
    all('.pictures button').forEach((button, each) => button.setAttribute('aria-pressed', each === index))
    const figure = all('.pictures figure')[index]
    const [image, large] = [figure.querySelector('.enlarged'), shownLarge()]
    const huge = large.querySelector('.huge')
    huge.src = image.src
    huge.alt = `${image.alt}, large`
    large.dataset.at = index
    large.dataset.name = figure.dataset.name
    large.ariaLabel = large.querySelector('h3').textContent = figure.dataset.title
    large.querySelector('[role=status]').textContent = ''
    large.querySelector('[data-do=share]').hidden = !canShare()
  }

  // SVG and hand of the large picture: the server draws them for the one whose pill is picked, which nobody sees, and
  // lets go of the pill (screens/draw.py).
  const PATIENCE = 5000 // ms
  const pills = () => all('.st-key-large button')
  const answer = () => document.querySelector('.answer')
  const isAnswered = ({ dataset }) => answer()?.dataset.of === dataset.of && answer().dataset.at === dataset.at

  async function detailsOf(large) {
    const { at } = large.dataset
    const wanted = () => large.isConnected && large.dataset.at === at
    const until = async (done, patience = Infinity) => {
      const end = performance.now() + patience
      while (wanted() && !done() && performance.now() < end) await new Promise(requestAnimationFrame)
    }
    await until(() => isAnswered(large) || (pills()[at] && !pills().some((pill) => pill.ariaChecked === 'true')))
    // Asked twice: what a visitor presses at the same moment can take the place of the first question.
    for (let times = 0; times < 2 && wanted() && !isAnswered(large); times++) {
      const before = answer()
      pills()[at].click()
      await until(() => answer() !== before, PATIENCE)
    }
    return wanted() && isAnswered(large) ? answer() : null
  }

  // The hand of another picture is squares until that of the large one is there.
  function place(large) {
    const hand = large.querySelector('.hand')
    const of = isAnswered(large) ? large.dataset.at : ''
    if (!hand || (hand.dataset.of ?? '') === of) return
    if (of) hand.innerHTML = answer().innerHTML
    else hand.replaceChildren(...Array.from({ length: 10 }, () => document.createElement('i')))
    hand.dataset.of = of
  }

  // It is asked for when it comes into view and nothing has changed for a moment: who clicks on does not wait for it.
  const seen = new IntersectionObserver((places) => {
    for (const { isIntersecting, target } of places) {
      if (!isIntersecting) continue
      seen.unobserve(target)
      if (target.isConnected) detailsOf(shownLarge())
    }
  })

  let known, moment
  function look() {
    const large = shownLarge()
    if (!large) return
    if (large !== known) {
      // New pictures. Where they are the same, drawn anew in ink or raw, the one that was pressed stays large.
      known = large
      enlarge(pressed?.set === setShown() ? pressed.index : Number(large.dataset.at))
    }
    place(large)
    sayNext()
    clearTimeout(moment)
    moment = setTimeout(() => all('.details .hand:has(i)').forEach((hand) => seen.observe(hand)), 300)
  }
  new MutationObserver(look).observe(document.body, {
    childList: true,
    subtree: true,
    attributeFilter: ['aria-checked'],
  })

  // A picked digit is drawn at the next press of the button.
  function sayNext() {
    const picked = document.querySelector('.st-key-digit [aria-checked=true]')?.textContent
    const next = document.querySelector('[data-next]')
    const text = picked && picked !== document.querySelector('.drawn').dataset.digit ? next.dataset.next.replace('#', picked) : ''
    if (next.textContent === text) return
    next.textContent = text
    next.hidden = !text
  }

  const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches
  const canShare = () => Boolean(navigator.canShare?.({ files: [new File([], 'a.png', { type: 'image/png' })] }))

  const actions = {
    png: async (large) => download(await fileOf(large), `${large.dataset.name}.png`),
    svg: async (large) => {
      const details = await detailsOf(large)
      if (details) download(new Blob([`${details.dataset.svg}\n`], { type: 'image/svg+xml' }), `${large.dataset.name}.svg`)
    },
    copy: (large) =>
      told(large, 'Picture copied.', () =>
        navigator.clipboard.write([new ClipboardItem({ 'image/png': enlarged(large) })]),
      ),
    share: async (large) => {
      const file = new File([await enlarged(large)], `${large.dataset.name}.png`, { type: 'image/png' })
      await navigator.share({ files: [file], title: large.dataset.title }).catch(() => {}) // changed one's mind
    },
    link: (large) => told(large, 'Link copied.', () => navigator.clipboard.writeText(linkOf(large))),
  }

  async function told(around, done, copy) {
    const status = around.querySelector('[role=status]')
    try {
      await copy()
      status.textContent = done
    } catch {
      status.textContent = 'Copying failed: the browser does not allow it here.'
    }
  }

  function linkOf(large) {
    const link = new URL(location.href)
    link.searchParams.delete('at')
    if (large.dataset.at !== '0') link.searchParams.set('at', large.dataset.at)
    return link.href
  }

  // The PNG as the server drew it, with its recipe; of a picture in ink, which has none, a large one.
  async function fileOf(large) {
    const { src } = large.querySelector('.huge')
    return src.startsWith('data:image/png') ? (await fetch(src)).blob() : enlarged(large)
  }

  async function enlarged(large) {
    const image = large.querySelector('.huge')
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = 560
    const context = canvas.getContext('2d')
    context.imageSmoothingEnabled = image.src.startsWith('data:image/svg')
    context.drawImage(image, 0, 0, 560, 560)
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'))
  }

  // The file of a picture that is on the page.
  async function save(source, name) {
    download(await (await fetch(source)).blob(), name)
  }

  async function saveAll(name) {
    const files = all('.pictures figure').map(async (figure) => {
      const { src } = figure.querySelector('.enlarged')
      const data = new Uint8Array(await (await fetch(src)).arrayBuffer())
      return [`${figure.dataset.name}.${src.startsWith('data:image/svg') ? 'svg' : 'png'}`, data]
    })
    download(zipOf(await Promise.all(files)), name)
  }

  // The archive that zip_from_files in digit_generator/files.py makes: names in ASCII, nothing compressed, no dates.
  function zipOf(files) {
    const numbers = (...pairs) => pairs.flatMap(([value, bytes]) => Array.from({ length: bytes }, (_, at) => (value >>> (8 * at)) & 255))
    const [locals, entries] = [[], []]
    let offset = 0
    for (const [name, data] of files) {
      const label = new TextEncoder().encode(name)
      const shared = numbers([20, 2], [0, 2], [0, 2], [0, 2], [33, 2], [crcOf(data), 4], [data.length, 4], [data.length, 4], [label.length, 2], [0, 2])
      entries.push([...numbers([0x02014b50, 4], [0x0314, 2]), ...shared, ...numbers([0, 2], [0, 2], [0, 2], [0o644 << 16, 4], [offset, 4]), ...label])
      locals.push([...numbers([0x04034b50, 4]), ...shared, ...label, ...data])
      offset += locals.at(-1).length
    }
    const size = entries.reduce((sum, each) => sum + each.length, 0)
    const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [size, 4], [offset, 4], [0, 2])
    return new Blob([...locals, ...entries, end].map((each) => new Uint8Array(each)), { type: 'application/zip' })
  }

  function crcOf(data) {
    let crc = -1
    for (const byte of data) {
      crc ^= byte
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 && 0xedb88320)
    }
    return ~crc
  }

  function download(blob, name) {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000) // some browsers read it after the click
  }

  // Keys: 0 to 9 pick a digit, Space or Enter generates, unless something has the focus that has keys of its own.
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !document.querySelector('.st-key-generate')) return
    const focused = document.activeElement
    if (focused?.closest('input, textarea, select, [contenteditable], [role=slider], [role=dialog]')) return
    if (/^[0-9]$/.test(event.key)) {
      document.querySelectorAll('.st-key-digit [role=radio]')[Number(event.key)]?.click()
    } else if ((event.key === 'Enter' || event.key === ' ') && !focused?.closest('a, button, summary, [role=radio]')) {
      event.preventDefault()
      document.querySelector('.st-key-generate button').click()
    }
  })
}
