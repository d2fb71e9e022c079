// The network: z and a digit -> 784 shades of grey. All in float64, as digit_generator/generate.py computes.

import { LATENT_SIZE } from './random.js'

/** Width and height of a picture in pixels. */
export const SIZE = 28
export const LEAKY_SLOPE = 0.2
const BATCHNORM_EPS = 1e-5 // PyTorch's default; a state_dict does not hold it

/** The trained network. It is never modified. */
export class Network {
  #labelEmbedding // [10, 100]
  #layers // four of {weight [outputs, inputs], bias [outputs]}

  /** `tensors` is what weights.js reads: Map of name -> numbers. */
  constructor(tensors) {
    this.#labelEmbedding = tensors.get('label_emb.weight')
    this.#layers = layersFromTensors(tensors)
  }

  /** The label embeddings, [10, 100], and the four layers, {weight [outputs, inputs], bias [outputs]}; not to be changed. */
  get parts() {
    return { labelEmbedding: this.#labelEmbedding, layers: this.#layers }
  }

  /** The input and the output of every layer, from z, [100]: arrays of 200, 256, 512, 1024 and 784 numbers. */
  activations(z, digit) {
    const passed = this.#beforeLast(z, digit)
    return [...passed, outputs(this.#layers.at(-1), passed.at(-1)).map(Math.tanh)]
  }

  /** The input of the last layer: Float64Array [1024]. */
  hidden(z, digit) {
    return this.#beforeLast(z, digit).at(-1)
  }

  /**
   * The picture of z, [784] in [-1, 1], and the way back: pullback(gradient by the picture, [784]) -> the gradient by z,
   * [100] (the chain rule, layer by layer).
   */
  imageAndPullback(z, digit) {
    const passed = this.activations(z, digit)
    const image = passed.at(-1)
    const pullback = (gradient) => {
      let x = gradient.map((slope, i) => slope * (1 - image[i] ** 2)) // tanh
      for (let layer = this.#layers.length - 1; layer >= 0; layer--) {
        x = weighted(this.#layers[layer].weight, x)
        // leakyReLU keeps the sign. The input, passed[0], has none.
        if (layer) x = x.map((slope, i) => (passed[layer][i] > 0 ? slope : LEAKY_SLOPE * slope))
      }
      return x.subarray(0, LATENT_SIZE)
    }
    return { image, pullback }
  }

  #beforeLast(z, digit) {
    const x = new Float64Array(2 * LATENT_SIZE)
    x.set(z)
    x.set(this.#labelEmbedding.subarray(digit * LATENT_SIZE, (digit + 1) * LATENT_SIZE), LATENT_SIZE)
    const passed = [x]
    for (const layer of this.#layers.slice(0, -1)) passed.push(outputs(layer, passed.at(-1)).map(leakyReLU))
    return passed
  }
}

/** image in [-1, 1] -> pixels: -1 -> 0, +1 -> 255. Uint8ClampedArray rounds as NumPy does, a half to the even. */
export function pixelsFromImage(image) {
  return Uint8ClampedArray.from(image, (value) => (value + 1) * 127.5)
}

/** The nearest whole number; halves to the even one, as Python rounds. */
export function rounded(value) {
  const nearest = Math.round(value)
  return Math.abs(value % 1) === 0.5 && nearest % 2 ? nearest - 1 : nearest
}

/** x @ weight.T + bias, for an x of 4 n numbers: four sums at a time, because each addition waits for the previous one. */
export function outputs({ weight, bias }, x) {
  const y = new Float64Array(bias.length)
  for (let row = 0, at = 0; row < y.length; row++) {
    let a = 0, b = 0, c = 0, d = 0
    for (let column = 0; column < x.length; column += 4, at += 4) {
      a += weight[at] * x[column]
      b += weight[at + 1] * x[column + 1]
      c += weight[at + 2] * x[column + 2]
      d += weight[at + 3] * x[column + 3]
    }
    y[row] = a + b + (c + d) + bias[row]
  }
  return y
}

// x @ weight: from a layer's outputs back to its inputs.
function weighted(weight, x) {
  const y = new Float64Array(weight.length / x.length)
  for (let row = 0, at = 0; row < x.length; row++) {
    for (let column = 0; column < y.length; column++, at++) y[column] += x[row] * weight[at]
  }
  return y
}

/** The activation function of both networks. */
export function leakyReLU(value) {
  return value < 0 ? LEAKY_SLOPE * value : value
}

// BatchNorm comes after LeakyReLU, hence it folds forward into the next Linear (generate.py has the formula):
// W (scale * x + shift) + b = (W * scale) x + (W shift + b).
function layersFromTensors(tensors) {
  const layer = (linear) => ({
    weight: tensors.get(`model.${linear}.weight`),
    bias: tensors.get(`model.${linear}.bias`),
  })
  const folded = (batchNorm, linear) => {
    const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((name) =>
      tensors.get(`model.${batchNorm}.${name}`),
    )
    const scale = Float64Array.from(gamma, (value, i) => value / Math.sqrt(variance[i] + BATCHNORM_EPS))
    const shift = Float64Array.from(beta, (value, i) => value - mean[i] * scale[i])
    const { weight, bias } = layer(linear)
    const scaled = new Float64Array(weight.length)
    for (let row = 0, at = 0; row < bias.length; row++) {
      for (let column = 0; column < scale.length; column++, at++) scaled[at] = weight[at] * scale[column]
    }
    return { weight: scaled, bias: outputs({ weight, bias }, shift) }
  }
  return [layer(0), folded(2, 3), folded(5, 6), folded(8, 9)]
}
