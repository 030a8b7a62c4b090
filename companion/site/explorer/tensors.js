/*
 * Tensors out of the page's JSON: base64, in half precision ("f2"), single ("f4") or bytes ("u1").
 */

function bytesOfBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** The number that 16 bits of IEEE half precision stand for. */
function halfToNumber(half) {
  const negative = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return negative * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : negative * Infinity;
  return negative * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** { shape, type, data } to { shape, values }. */
function readTensor({ shape, type, data }) {
  const bytes = bytesOfBase64(data);
  if (type === "u1") return { shape, values: bytes };
  const view = new DataView(bytes.buffer);
  const width = Number(type[1]);
  const values = new Float64Array(bytes.length / width);
  for (let i = 0; i < values.length; i++) {
    values[i] =
      width === 2 ? halfToNumber(view.getUint16(2 * i, true)) : view.getFloat32(4 * i, true);
  }
  return { shape, values };
}

function readTensors(stored) {
  return Object.fromEntries(Object.entries(stored).map(([name, it]) => [name, readTensor(it)]));
}

/** Rows of bytes, most significant bit first, to rows of bits of -1 and +1. */
function unpackBits({ shape: [count, width], values }, size) {
  return Array.from({ length: count }, (_, row) =>
    Float64Array.from({ length: size }, (_, bit) =>
      values[row * width + (bit >> 3)] & (128 >> (bit & 7)) ? 1 : -1,
    ),
  );
}
