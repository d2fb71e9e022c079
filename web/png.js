// Pixels -> a greyscale PNG. A canvas would write its own, but in colour, and browsers that guard
// against fingerprinting change what is read back from a canvas.

import { SIZE } from './network.js'

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]

/** pixels, 0...255, row by row, each `scale` wide and high in the file -> the bytes of a PNG, as a Blob. */
export async function pngFromPixels(pixels, scale = 1, width = SIZE) {
  const [columns, lines] = [scale * width, (scale * pixels.length) / width]
  const header = new Uint8Array(13) // width, height, 8 bits of grey, nothing special
  new DataView(header.buffer).setUint32(0, columns)
  new DataView(header.buffer).setUint32(4, lines)
  header[8] = 8
  const rows = new Uint8Array(lines * (columns + 1)) // each row after a 0: not filtered
  for (let y = 0; y < lines; y++) {
    for (let x = 0; x < columns; x++) {
      rows[y * (columns + 1) + 1 + x] = pixels[Math.floor(y / scale) * width + Math.floor(x / scale)]
    }
  }
  const chunks = [chunk('IHDR', header), chunk('IDAT', await zlib(rows)), chunk('IEND', new Uint8Array())]
  return new Blob([new Uint8Array(SIGNATURE), ...chunks], { type: 'image/png' })
}

async function zlib(bytes) {
  const compressed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'))
  return new Uint8Array(await new Response(compressed).arrayBuffer())
}

function chunk(name, data) {
  const bytes = new Uint8Array(12 + data.length)
  const fields = new DataView(bytes.buffer)
  fields.setUint32(0, data.length)
  bytes.set(new TextEncoder().encode(name), 4)
  bytes.set(data, 8)
  fields.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
  return bytes
}

function crc32(bytes) {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}
