/*
 * Random numbers from a seed, the same in every browser.
 */

/** Uniform and normal numbers; mulberry32 by T. Ettinger, and Box and Muller's transform. */
class RandomSource {
  constructor(seed) {
    this.state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  normals(count) {
    return Float64Array.from({ length: count }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      return radius * Math.cos(2 * Math.PI * this.uniform());
    });
  }
}
