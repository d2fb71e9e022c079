// What Streamlit has no widget for, or only one that takes it long: a picture opens large when it is pressed, buttons that
// save and copy, the keys, and an address that is replaced instead of added, so that one press of Back leaves a page.
// Runs once, for all pages (app.py).

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
    const back = event.target.closest('button[data-back]')
    if (back) return all('.st-key-bring_back button')[back.dataset.back].click()
    const copied = event.target.closest('button[data-copy]')
    if (copied) return told(copied.parentElement, 'Command copied.', () => navigator.clipboard.writeText(copied.dataset.copy))
    const button = event.target.closest('.large button[data-do]')
    if (button) actions[button.dataset.do](button.closest('.large'))
  })

  function show(index) {
    const shown = reveal(index)
    shown.querySelector('.huge').scrollIntoView({ block: 'nearest', behavior: calm() ? 'auto' : 'smooth' })
    detailsOf(shown)
  }

  function reveal(index) {
    all('.pictures button').forEach((button, each) => button.setAttribute('aria-pressed', each === index))
    all('.large').forEach((large, each) => (large.hidden = each !== index))
    const shown = all('.large')[index]
    for (const status of all('[role=status]', shown)) status.textContent = ''
    for (const share of all('[data-do=share]', shown)) share.hidden = !canShare()
    return shown
  }

  // SVG and hand of the large picture: the server draws them for the one whose pill is picked, which nobody sees
  // (screens/draw.py).
  const shownLarge = () => document.querySelector('.large:not([hidden])')
  const pillsOf = (large) => all(`.st-key-${large.dataset.of} button`)
  const isPicked = (pill) => pill.getAttribute('aria-checked') === 'true'
  const areOf = (details, large) => details.dataset.of === large?.dataset.of && details.dataset.at === large.dataset.at
  const arrived = (large) => all('.details').find((details) => areOf(details, large))

  async function detailsOf(large) {
    const pill = pillsOf(large)[large.dataset.at]
    if (!arrived(large) && pill && !isPicked(pill)) pill.click()
    mark()
    while (!arrived(large) && large.isConnected) await new Promise(requestAnimationFrame)
    return arrived(large)
  }

  // Details of another picture are squares until those of the large one are there.
  function mark() {
    for (const each of all('.details[data-at]')) each.classList.toggle('others', !areOf(each, shownLarge()))
  }

  // They are asked for when they come into view and nothing has changed for a moment: who clicks on does not wait for them.
  const seen = new IntersectionObserver((places) => {
    for (const { isIntersecting, target } of places) {
      if (!isIntersecting) continue
      seen.unobserve(target)
      if (target.isConnected && shownLarge()) detailsOf(shownLarge())
    }
  })
  let known, moment
  new MutationObserver(() => {
    const large = shownLarge()
    if (large && !known?.isConnected) {
      // The same pictures, drawn anew in ink or raw: the one that was pressed stays large.
      const picked = pillsOf(large).findIndex(isPicked)
      known = picked < 0 ? large : reveal(picked)
    }
    mark()
    clearTimeout(moment)
    moment = setTimeout(() => all('.details .hand:has(i)').forEach((place) => seen.observe(place)), 300)
  }).observe(document.body, { childList: true, subtree: true })

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
