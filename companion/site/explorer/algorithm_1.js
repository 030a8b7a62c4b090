/*
 * Algorithm 1 with its sign restored: lbae_lib/latent/algorithm_1.py in JavaScript.
 *
 * A step adds s_i V_i for every vector i on the wrong side; the boundary vector has the target +1.
 */

const MAX_STEPS = 10_000; // a latent outside the sampler's range has no normal, and never ends

/** From bits to a hyperplane's normal: `normal`, the number of `wrong` bits, and `steps` taken. */
function restoredAlgorithm1(bits, hyperplanes, maxSteps = MAX_STEPS) {
  const targets = [...bits, 1];
  const normal = new Float64Array(hyperplanes.rank);
  hyperplanes.tilt(normal, targets);
  let steps = 0;
  for (; steps < maxSteps; steps++) {
    const products = hyperplanes.products(normal);
    // A product of zero is on no side yet.
    const corrections = targets.map((target, i) => (target * products[i] <= 0 ? target : 0));
    if (corrections.every((value) => value === 0)) break;
    hyperplanes.tilt(normal, corrections);
  }
  return { normal, steps, wrong: hamming(hyperplanes.bits(normal), bits) };
}
