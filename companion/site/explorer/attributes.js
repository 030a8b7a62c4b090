/*
 * Setting bits by attribute (Section 4.3, Eq. 17): lbae_lib/latent/attributes.py in JavaScript.
 */

/**
 * What distinguishes images with an attribute: E[Y^a] - E[Y^¬a].
 *
 * @param mean of the images with the attribute, E[Y^a].
 * @param overall mean of all images, E[Y].
 * @param share of the images that have it; E[Y] is the weighted mean of both groups.
 */
function contrast(mean, overall, share) {
  return Float64Array.from(mean, (value, i) => (value - overall[i]) / (1 - share));
}

/** Eq. 17: bits with |p_i| > D take the sign of p_i. */
function setAttribute(bits, direction, threshold) {
  return Float64Array.from(bits, (bit, i) =>
    Math.abs(direction[i]) > threshold ? Math.sign(direction[i]) : bit,
  );
}
