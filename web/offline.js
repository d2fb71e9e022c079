// A service worker: stores the files of the page and serves them when there is no network.

const CACHE = 'digit-generator'
const CHOICE = 'generator.choice.safetensors' // optional
const FILES = [
  './',
  'address.js',
  'before.js',
  'choose.js',
  'drawings.js',
  'files.js',
  'finder.js',
  'finish.js',
  'first.png',
  'fit.js',
  'game.js',
  'generate.js',
  'generator.bin',
  'generator.starts.bin',
  'hand.html',
  'hand.js',
  'hand_page.js',
  'hand_start.js',
  'icon.svg',
  'inside.js',
  'loading.js',
  'manifest.webmanifest',
  'morph.js',
  'neat.js',
  'network.js',
  'normalize.js',
  'number.js',
  'pad.js',
  'page.js',
  'picker.js',
  'picture.js',
  'png.js',
  'random.js',
  'real_digits.png',
  'shapes.js',
  'signs.js',
  'start.js',
  'starts.js',
  'style.css',
  'style.js',
  'svg.js',
  'weights.js',
  'write.js',
]

self.addEventListener('install', (event) => event.waitUntil(keepAll().then(() => self.skipWaiting())))
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  if (event.request.method === 'GET' && event.request.url.startsWith(self.registration.scope)) {
    event.respondWith(answer(event.request))
  }
})

async function keepAll() {
  const cache = await caches.open(CACHE)
  await cache.addAll(FILES)
  await cache.add(CHOICE).catch(() => {})
}

// The network first, so that a visitor never sees yesterday's page beside today's weights.
async function answer(request) {
  try {
    const response = await fetch(request)
    if (response.ok) await keep(request, response.clone())
    return response
  } catch (error) {
    const kept = await caches.match(withoutSearch(request))
    if (kept) return kept
    throw error
  }
}

// A full disk or a private window may refuse it. The answer of the network must not be lost for that.
async function keep(request, response) {
  try {
    const cache = await caches.open(CACHE)
    await cache.put(withoutSearch(request), response)
  } catch {
    // The page works online.
  }
}

// Every link to a picture is the same page.
function withoutSearch(request) {
  return request.url.split(/[?#]/)[0]
}
