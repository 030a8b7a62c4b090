/*
 * Panel: a wall of images from one sampler of latents.
 */

const WALL = 16; // images

function samplesPanel(space) {
  const { errors, noise, drawn, rank } = space.about;
  const columns =
    `V has ${space.hyperplanes.rank} of its ${rank.full_rank} columns here. In expectation, the ` +
    `pair moments then differ by ${rank.error.toFixed(5)}, and by ${rank.full_error.toFixed(5)} ` +
    "with all columns.";
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
      `${errors[key].toFixed(4)} RMS; ${noise.toFixed(4)} is the noise of so many samples. ` +
      (key === "nearest" ? columns : "");
  }

  const intro =
    "New images from new bits, by four samplers. The line below says how far the pair moments of " +
    "a sampler's bits are from those of the training latents.";
  const box = element("div", { class: "lbae-wall" }, ...wall);
  return { intro, parts: [sampler, randomSeed, box, said], draw };
}
