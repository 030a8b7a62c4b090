/*
 * The latent space of one model: its decoder, its sampler's vectors, and some test images.
 */

const KEPT = 64; // decoded images

class Space {
  /** What companion/site/page_explorer.py writes of a model. */
  constructor(model) {
    const tensors = readTensors(model.tensors);
    this.about = model;
    this.size = model.latent_size;
    this.decoder = new Decoder(readTensors(model.decoder));
    this.hyperplanes = new Hyperplanes(tensors.vectors);
    this.mean = tensors.mean.values;
    this.root = tensors.root;
    this.test = unpackBits(tensors.test, this.size);
    this.attributeMeans = tensors.attribute_means;
    this.inversions = new Map();
    this.images = new Map(); // the image by its bits, oldest first
  }

  /** The image of bits; the last ones are kept, as most steps change only one of two images. */
  decode(bits) {
    const key = bits.join();
    if (!this.images.has(key)) {
      if (this.images.size === KEPT) this.images.delete(this.images.keys().next().value);
      this.images.set(key, this.decoder.decode(bits));
    }
    return this.images.get(key);
  }

  /** Restored Algorithm 1 on a test image's latent; computed once. */
  invert(index) {
    if (!this.inversions.has(index)) {
      this.inversions.set(index, restoredAlgorithm1(this.test[index], this.hyperplanes));
    }
    return this.inversions.get(index);
  }

  /** p of Eq. 17 for an attribute: its mean latent, or what distinguishes it. */
  direction(attribute, kind) {
    const { values } = this.attributeMeans;
    const mean = values.subarray(attribute * this.size, (attribute + 1) * this.size);
    return kind === "mean" ? mean : contrast(mean, this.mean, this.about.shares[attribute]);
  }

  /** What a test image is called. */
  testName(index) {
    const label = this.about.test_labels[index];
    const number = `test image ${this.about.test_indices[index]}`;
    return label === undefined ? number : `${label}, ${number}`;
  }
}
