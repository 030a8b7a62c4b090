/*
 * The decoder: bits to an image, in plain JavaScript.
 *
 * It mirrors `Decoder` in lbae_lib/models/networks.py: a linear layer, residual blocks that double
 * the side, one more doubling, and a last convolution. Batch normalisation of a trained model is a
 * scale and a shift of each channel, which the model's tensors hold ready.
 */

const SLOPE = 0.02; // of leaky ReLU
const GRID = 4; // side of the innermost maps
const PIXELS = 4; // pixels in a row and channels that are computed together, in local variables
const LANES = 3;

/** Maps of one side, channels last, with a border of one zero pixel. */
function emptyMaps(side, channels) {
  return { side, channels, values: new Float64Array((side + 2) ** 2 * channels) };
}

/** Call `visit(start)` with the place of each inner pixel's first channel. */
function eachPixel({ side, channels }, visit) {
  for (let y = 1; y <= side; y++) {
    for (let x = 1; x <= side; x++) visit((y * (side + 2) + x) * channels);
  }
}

/** The kernel places k that reach an output pixel of this phase, and the input pixel's offset. */
function taps(size, stride, phase) {
  const all = Array.from({ length: size }, (_, k) => ({ k, move: (phase + 1 - k) / stride }));
  return all.filter(({ move }) => Number.isInteger(move));
}

/**
 * A transposed convolution of padding 1, written as one that gathers.
 *
 * The output pixel o = s q + p of stride s and phase p sums, over the kernel places k for which s
 * divides p + 1 - k, the products with input pixel q + (p + 1 - k) / s; likewise vertically.
 */
class TransposedConvolution {
  /** A tensor of PyTorch's shape: input channels, output channels, height, width. */
  constructor({ shape: [inputs, outputs, size], values }, stride) {
    Object.assign(this, { inputs, outputs, stride, groups: Math.ceil(outputs / LANES) });
    this.phases = [];
    for (let py = 0; py < stride; py++) {
      for (let px = 0; px < stride; px++) {
        const places = taps(size, stride, py).flatMap((y) =>
          taps(size, stride, px).map((x) => ({ at: y.k * size + x.k, dy: y.move, dx: x.move })),
        );
        this.phases.push({ py, px, places, packed: this.pack(values, places, size * size) });
      }
    }
  }

  /** Weights in the order in which `gather` reads them: group, place, input channel, lane. */
  pack(values, places, area) {
    const packed = new Float64Array(this.groups * places.length * this.inputs * LANES);
    let to = 0;
    for (let group = 0; group < this.groups; group++) {
      for (const { at } of places) {
        for (let input = 0; input < this.inputs; input++) {
          for (let output = group * LANES; output < (group + 1) * LANES; output++, to++) {
            if (output < this.outputs) {
              packed[to] = values[(input * this.outputs + output) * area + at];
            }
          }
        }
      }
    }
    return packed;
  }

  apply(maps) {
    const { side, values } = maps;
    const { inputs, outputs, stride } = this;
    const result = emptyMaps(side * stride, outputs);
    const sums = new Float64Array(PIXELS * LANES);
    for (const { py, px, places, packed } of this.phases) {
      const offsets = places.map(({ dy, dx }) => (dy * (side + 2) + dx) * inputs);
      for (let group = 0; group < this.groups; group++) {
        const lanes = Math.min(LANES, outputs - group * LANES);
        const weights = group * offsets.length * inputs * LANES;
        for (let y = 0; y < side; y++) {
          for (let x = 0; x < side; x += PIXELS) {
            gather(values, ((y + 1) * (side + 2) + x + 1) * inputs, offsets, inputs,
              packed, weights, sums);
            const first = (y * stride + py + 1) * (result.side + 2) + x * stride + px + 1;
            for (let pixel = 0; pixel < PIXELS; pixel++) {
              const to = (first + pixel * stride) * outputs + group * LANES;
              for (let lane = 0; lane < lanes; lane++) {
                result.values[to + lane] = sums[pixel * LANES + lane];
              }
            }
          }
        }
      }
    }
    return result;
  }
}

/**
 * Sums of products over kernel places and input channels, for four pixels and three channels.
 *
 * Twelve local variables stay in registers. This loop takes nearly all of the time.
 */
function gather(values, from, offsets, inputs, packed, weight, sums) {
  let a0 = 0, a1 = 0, a2 = 0, b0 = 0, b1 = 0, b2 = 0;
  let c0 = 0, c1 = 0, c2 = 0, d0 = 0, d1 = 0, d2 = 0;
  for (let place = 0; place < offsets.length; place++) {
    let a = (from + offsets[place]) | 0; // "| 0": an integer, without a check for overflow
    let b = (a + inputs) | 0, c = (b + inputs) | 0, d = (c + inputs) | 0;
    for (const end = b; a < end; weight = (weight + 3) | 0) {
      const w0 = packed[weight], w1 = packed[weight + 1], w2 = packed[weight + 2];
      const va = values[a], vb = values[b];
      a0 += va * w0; a1 += va * w1; a2 += va * w2;
      b0 += vb * w0; b1 += vb * w1; b2 += vb * w2;
      const vc = values[c], vd = values[d];
      c0 += vc * w0; c1 += vc * w1; c2 += vc * w2;
      d0 += vd * w0; d1 += vd * w1; d2 += vd * w2;
      a = (a + 1) | 0; b = (b + 1) | 0; c = (c + 1) | 0; d = (d + 1) | 0;
    }
  }
  sums[0] = a0; sums[1] = a1; sums[2] = a2;
  sums[3] = b0; sums[4] = b1; sums[5] = b2;
  sums[6] = c0; sums[7] = c1; sums[8] = c2;
  sums[9] = d0; sums[10] = d1; sums[11] = d2;
}

/** Scale and shift of each channel, in place; then, if given, the skip connection and leaky ReLU. */
function normalise(maps, { scale, shift }, { skip = null, activate = true } = {}) {
  const { channels, values } = maps;
  eachPixel(maps, (start) => {
    for (let channel = 0; channel < channels; channel++) {
      let value = values[start + channel] * scale[channel] + shift[channel];
      if (skip) value += skip.values[start + channel];
      values[start + channel] = activate && value < 0 ? SLOPE * value : value;
    }
  });
  return maps;
}

/** Leaky ReLU of a copy. */
function activated(maps) {
  const values = maps.values.map((value) => (value < 0 ? SLOPE * value : value));
  return { ...maps, values };
}

class Decoder {
  /**
   * @param tensors by name: `shape` and `values`, as companion/site/explorer_bundle.py writes them.
   */
  constructor(tensors) {
    const norm = (name) => ({
      scale: tensors[`${name}.scale`].values,
      shift: tensors[`${name}.shift`].values,
    });
    const convolution = (name, stride) =>
      new TransposedConvolution(tensors[`${name}.weight`], stride);
    this.weight = tensors["linear.weight"];
    this.bias = tensors["linear.bias"].values;
    this.blocks = [];
    for (let i = 0; `blocks.${i}.resize.weight` in tensors; i++) {
      this.blocks.push({
        resize: convolution(`blocks.${i}.resize`, 2),
        resizeNorm: norm(`blocks.${i}.resize_norm`),
        conv1: convolution(`blocks.${i}.conv1`, 1),
        norm1: norm(`blocks.${i}.norm1`),
        conv2: convolution(`blocks.${i}.conv2`, 1),
        norm2: norm(`blocks.${i}.norm2`),
      });
    }
    this.enlarge = convolution("enlarge", 2);
    this.enlargeNorm = norm("enlarge_norm");
    this.final = convolution("final", 1);
  }

  /** Bits, N numbers of -1 and +1, to pixels from 0 to 255: a row after the other, channels last. */
  decode(bits) {
    let maps = this.enter(bits);
    for (const block of this.blocks) {
      const skip = normalise(block.resize.apply(maps), block.resizeNorm, { activate: false });
      const inner = normalise(block.conv1.apply(activated(skip)), block.norm1);
      maps = normalise(block.conv2.apply(inner), block.norm2, { skip });
    }
    maps = this.final.apply(normalise(this.enlarge.apply(maps), this.enlargeNorm));
    const pixels = new Uint8ClampedArray(maps.side ** 2 * maps.channels);
    let to = 0;
    eachPixel(maps, (start) => {
      for (let channel = 0; channel < maps.channels; channel++, to++) {
        pixels[to] = Math.round(255 / (1 + Math.exp(-maps.values[start + channel])));
      }
    });
    return { side: maps.side, channels: maps.channels, pixels };
  }

  /** The linear layer: bits to maps of 4×4. */
  enter(bits) {
    const [rows, columns] = this.weight.shape;
    const maps = emptyMaps(GRID, rows / GRID ** 2);
    const flat = multiply(this.weight.values, columns, bits);
    let pixel = 0;
    eachPixel(maps, (start) => {
      for (let channel = 0; channel < maps.channels; channel++) {
        const row = channel * GRID ** 2 + pixel;
        maps.values[start + channel] = flat[row] + this.bias[row];
      }
      pixel++;
    });
    return maps;
  }
}
