/*
 * Random hyperplane rounding (Section 3.2): lbae_lib/latent/hyperplane.py in JavaScript.
 */

class Hyperplanes {
  /** The tensor V of Eq. 10, (N+1) × R; its last row is the boundary vector. */
  constructor({ shape: [rows, rank], values }) {
    Object.assign(this, { rows, rank, vectors: values });
  }

  /** V r: on which side of the hyperplane with normal r each vector lies, and how far. */
  products(normal) {
    return multiply(this.vectors, this.rank, normal);
  }

  /** The bits of a hyperplane: signs of V r; the boundary vector's side is positive (Eq. 12). */
  bits(normal) {
    return bitsOfProducts(this.products(normal));
  }

  /** r += Σ weight_i V_i, in place. */
  tilt(normal, weights) {
    for (let row = 0; row < this.rows; row++) {
      if (weights[row] === 0) continue;
      const start = row * this.rank;
      for (let i = 0; i < this.rank; i++) normal[i] += weights[row] * this.vectors[start + i];
    }
  }
}

/** Bits from the products V r, N+1 of them. */
function bitsOfProducts(products) {
  const boundary = sign(products[products.length - 1]);
  return Float64Array.from(products.subarray(0, -1), (value) => sign(value) * boundary);
}

/** Two random normals at right angles and of the same length, from a random source. */
function perpendicularNormals(rank, random) {
  const first = random.normals(rank);
  const other = random.normals(rank);
  const second = combine(1, other, -dot(other, first) / dot(first, first), first);
  return [first, combine(Math.sqrt(dot(first, first) / dot(second, second)), second, 0, second)];
}
