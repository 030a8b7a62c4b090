/*
 * Vectors and matrices, as little as the explorer needs. A matrix is its rows one after the other.
 */

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The product of a matrix of so many columns with a vector. */
function multiply(matrix, columns, vector) {
  const result = new Float64Array(matrix.length / columns);
  for (let row = 0, at = 0; row < result.length; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++, at++) sum += matrix[at] * vector[column];
    result[row] = sum;
  }
  return result;
}

/** a x + b y of two vectors. */
function combine(a, x, b, y) {
  return Float64Array.from(x, (value, i) => a * value + b * y[i]);
}

/** The vector of length one with the same direction. */
function unit(vector) {
  const length = Math.sqrt(dot(vector, vector));
  return Float64Array.from(vector, (value) => value / length);
}

/** f_b of Eq. 1: zero rounds to +1. */
function sign(value) {
  return value >= 0 ? 1 : -1;
}

/** The number of bits in which two latents differ (Eq. 16). */
function hamming(a, b) {
  let count = 0;
  for (let i = 0; i < a.length; i++) count += a[i] !== b[i];
  return count;
}
