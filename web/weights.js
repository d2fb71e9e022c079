// The packed weights -> a safetensors file -> its tensors, each checked before it is used.

/** The generator's state_dict, as in digit_generator/weights.py. */
export const SHAPES = {
  'label_emb.weight': [10, 100],
  ...linear(0, 200, 256),
  ...batchNorm(2, 256),
  ...linear(3, 256, 512),
  ...batchNorm(5, 512),
  ...linear(6, 512, 1024),
  ...batchNorm(8, 1024),
  ...linear(9, 1024, 784),
}

const FILE = 'generator.bin'
const MEND = 'Run “make web”, which writes it from generator.pth, and reload this page.'
const MAX_VALUE = 1e10 // larger values could overflow in four layers
const READERS = {
  F16: numbersFromHalves,
  F32: (bytes) => view(bytes, Float32Array),
  F64: (bytes) => view(bytes, Float64Array),
  I8: (bytes) => view(bytes, Int8Array),
}

/** A problem with the weights. The message is a sentence for the visitor. */
export class WeightsError extends Error {}

/**
 * Fetch the weights beside the page. `onProgress(share, size)` is called with the share that has arrived, 0...1, and
 * the size of the whole in bytes. Resolves to {tensors: Map of name -> array of numbers, digest: SHA-256 of generator.pth, or '', hasChoice: whether
 * a choice file was written with it}. Rejects with WeightsError.
 */
export async function fetchWeights(onProgress = () => {}) {
  let response
  try {
    response = await fetch(FILE, { cache: 'no-cache' }) // asks whether the kept ones are still those of the server
  } catch {
    throw new WeightsError(`The weights could not be fetched (${FILE}). Reload this page when there is a network.`)
  }
  if (!response.ok) {
    throw new WeightsError(`The weights are missing: the server has no ${FILE} beside this page (${response.status}). ${MEND}`)
  }
  const { tensors, metadata } = tensorsFromBytes(await unpacked(await bytesOf(response, onProgress)), SHAPES)
  return { tensors, digest: String(metadata.weights_sha256 ?? ''), hasChoice: 'choice_sha256' in metadata }
}

/** {tensors: Map of name -> array of numbers, metadata} of a safetensors file. Throws WeightsError. */
export function tensorsFromBytes(bytes, shapes) {
  const { header, start } = headerOf(bytes)
  const { __metadata__: metadata, ...described } = header
  const unexpected = Object.keys(described).find((name) => !Object.hasOwn(shapes, name))
  if (unexpected !== undefined) refuse(`it has the unknown tensor ${JSON.stringify(unexpected.slice(0, 80))}`)
  const tensors = new Map()
  for (const [name, shape] of Object.entries(shapes)) {
    if (name.endsWith('num_batches_tracked')) continue // a counter of the training
    tensors.set(name, tensorFrom(bytes, start, name, shape, described[name]))
  }
  return { tensors, metadata: metadata ?? {} }
}

async function bytesOf(response, onProgress) {
  const total = Number(response.headers.get('Content-Length'))
  const parts = []
  let length = 0
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      length += value.length
      if (total) onProgress(Math.min(1, length / total), total)
    }
  } catch {
    throw new WeightsError(`The weights did not arrive whole (${FILE}). Reload this page to try again.`)
  }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/** Undo `packed` in tools/make_web.py: gzip, and after the header the even bytes of all numbers before the odd ones. */
export async function unpacked(packed) {
  let planes
  try {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
    planes = new Uint8Array(await new Response(stream).arrayBuffer())
  } catch {
    refuse('it is cut short or not packed')
  }
  const { start } = headerOf(planes)
  const bytes = planes.slice()
  const middle = start + Math.ceil((planes.length - start) / 2)
  for (let even = start, at = start; even < middle; even++, at += 2) bytes[at] = planes[even]
  for (let odd = middle, at = start + 1; odd < planes.length; odd++, at += 2) bytes[at] = planes[odd]
  return bytes
}

function headerOf(bytes) {
  if (bytes.length < 8) refuse(`it has ${bytes.length} bytes, expected 3 million`)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (length > bytes.length - 8) refuse('it is cut short or not a safetensors file')
  try {
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
    if (header === null || typeof header !== 'object') throw new TypeError()
    return { header, start: 8 + length }
  } catch {
    return refuse('its header cannot be read')
  }
}

function tensorFrom(bytes, start, name, shape, described) {
  if (!described) refuse(`${name} is missing`)
  if (String(described.shape) !== String(shape)) {
    refuse(`${name} has shape [${described.shape}], expected [${shape}]`)
  }
  const read = READERS[described.dtype]
  if (!read) refuse(`${name} has numbers of type ${described.dtype}, expected F16, F32, F64 or I8`)
  const [begin, end] = described.data_offsets ?? []
  const numbers = read(bytes.slice(start + begin, start + end))
  const count = shape.reduce((product, size) => product * size, 1)
  if (numbers.length !== count) refuse('it is cut short')
  const lowest = name.endsWith('running_var') ? 0 : -MAX_VALUE
  for (let i = 0; i < count; i++) {
    // Written so that it finds NaN too.
    if (!(numbers[i] >= lowest && numbers[i] <= MAX_VALUE)) refuse(`${name} has a value that no trained weight has`)
  }
  return numbers
}

let halves // the number for each of the 65,536 half-precision bit patterns, made when first needed

function numbersFromHalves(bytes) {
  halves ??= Float64Array.from({ length: 2 ** 16 }, (_, bits) => numberFromHalf(bits))
  const bits = view(bytes, Uint16Array)
  const numbers = new Float64Array(bits.length)
  for (let i = 0; i < bits.length; i++) numbers[i] = halves[bits[i]]
  return numbers
}

// IEEE 754 half precision: one bit of sign, five of exponent, ten of fraction.
function numberFromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

function view(bytes, Numbers) {
  return new Numbers(bytes.buffer, 0, Math.floor(bytes.length / Numbers.BYTES_PER_ELEMENT))
}

function linear(index, inputs, outputs) {
  return { [`model.${index}.weight`]: [outputs, inputs], [`model.${index}.bias`]: [outputs] }
}

function batchNorm(index, size) {
  const names = ['weight', 'bias', 'running_mean', 'running_var']
  const shapes = Object.fromEntries(names.map((name) => [`model.${index}.${name}`, [size]]))
  return { ...shapes, [`model.${index}.num_batches_tracked`]: [] }
}

function refuse(what) {
  throw new WeightsError(`The weights are damaged or belong to another network (${FILE}): ${what}. ${MEND}`)
}
