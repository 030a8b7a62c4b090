/*
 * Samplers of latents; the labels are those of companion/analysis/samplers.py.
 *
 * Each takes the latent space and a random source, and returns bits.
 */

const SAMPLERS = {
  nearest: {
    label: "random hyperplanes (Eq. 12)",
    draw: (space, random) => space.hyperplanes.bits(random.normals(space.hyperplanes.rank)),
  },
  direct: {
    label: "direct rounding (Eq. 3)",
    draw: (space, random) => {
      const { shape, values } = space.root;
      const real = multiply(values, shape[1], random.normals(shape[1]));
      return real.map((value, i) => sign(value + space.mean[i]));
    },
  },
  independent: {
    label: "independent bits",
    draw: (space, random) => // P(+1) = (1 + mean) / 2
      Float64Array.from(space.mean, (mean) => sign(mean - (2 * random.uniform() - 1))),
  },
  uniform: {
    label: "uniform bits",
    draw: (space, random) => random.normals(space.mean.length).map(sign),
  },
};
