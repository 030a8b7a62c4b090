/*
 * Spherical interpolation between hyperplanes (Section 3.3): lbae_lib/latent/interpolation.py.
 */

const SMALL_SINE = 1e-9; // below it the arc equals its chord

/** Weights of two unit vectors in the point at t, from 0 to 1, on the great circle between them. */
function slerpWeights(a, b, t) {
  const difference = combine(1, a, -1, b);
  const sum = combine(1, a, 1, b);
  // atan2 of chord lengths keeps its precision where acos of a dot product loses it.
  const angle = 2 * Math.atan2(
    Math.sqrt(dot(difference, difference)), Math.sqrt(dot(sum, sum)),
  );
  const sine = Math.sin(angle);
  if (sine < SMALL_SINE) return [1 - t, t];
  return [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
}

/** The unit vector at t on the great circle between the directions of two vectors. */
function slerp(source, target, t) {
  const a = unit(source), b = unit(target);
  const [weightA, weightB] = slerpWeights(a, b, t);
  return combine(weightA, a, weightB, b);
}

/** A path between two hyperplanes: only the products of its ends with V are computed. */
class Path {
  constructor(hyperplanes, source, target) {
    this.ends = [unit(source), unit(target)];
    this.products = this.ends.map((end) => hyperplanes.products(end));
  }

  /** The bits at t, from 0 to 1. */
  bits(t) {
    const [a, b] = slerpWeights(...this.ends, t);
    return bitsOfProducts(combine(a, this.products[0], b, this.products[1]));
  }
}
