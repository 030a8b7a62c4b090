/*
 * Panel: a wall of images from one sampler of latents.
 */

const WALL = 16; // images

function samplesPanel(space) {
  const { errors, noise, drawn } = space.about;
  const queue = new Queue();
  const options = Object.entries(SAMPLERS).map(([key, { label }]) => [key, label]);
  const sampler = choice("Sampler", options, draw);
  const randomSeed = seed("New samples", draw);
  const wall = Array.from({ length: WALL }, () => picture());
  const said = status();

  function draw() {
    const key = sampler.value;
    const random = new RandomSource(randomSeed.value);
    queue.start(
      wall.map((place, i) => () => {
        const bits = SAMPLERS[key].draw(space, random);
        place.draw(space.decode(bits), `Sample ${i + 1}, ${SAMPLERS[key].label}`);
      }),
    );
    said.textContent =
      `${WALL} samples, seed ${randomSeed.value}. Pair moments of ${drawn.toLocaleString("en")} ` +
      `samples of this sampler differ from those of the training latents by ` +
      `${errors[key].toFixed(4)} RMS; ${noise.toFixed(4)} is the noise of so many samples.`;
  }

  const intro =
    "New images from new bits. Random hyperplanes reproduce the pair moments of the training " +
    "latents; the other samplers do not.";
  const box = element("div", { class: "lbae-wall" }, ...wall);
  return { intro, parts: [sampler, randomSeed, box, said], draw };
}
