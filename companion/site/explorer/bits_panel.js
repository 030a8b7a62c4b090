/*
 * Panel: the bits of a test image as buttons; press one, and the image follows.
 */

const AT_RANDOM = 10; // bits that one button flips

function bitsPanel(space) {
  const redraw = beforeNextFrame(draw);
  const image = thumbnails("Test image", space, 0, restore);
  const before = picture("as encoded"), after = picture("with your bits");
  const buttons = Array.from({ length: space.size }, (_, bit) =>
    element("button", { type: "button", tabindex: bit ? -1 : 0, click: () => flip([bit]) }),
  );
  const grid = element(
    "div",
    { class: "lbae-bits", role: "group", "aria-label": "Bits; arrow keys move", keydown: move },
    ...buttons,
  );
  const random = new RandomSource(0);
  const reset = element("button", { type: "button", click: restore }, "As encoded");
  const some = element("button", { type: "button" }, `Flip ${AT_RANDOM} at random`);
  some.addEventListener("click", () => {
    const chosen = new Set();
    while (chosen.size < Math.min(AT_RANDOM, space.size)) {
      chosen.add(Math.floor(random.uniform() * space.size));
    }
    flip(chosen);
  });
  const said = status();
  let bits = space.test[0].slice();

  function flip(chosen) {
    chosen.forEach((bit) => (bits[bit] *= -1));
    redraw();
  }

  function restore() {
    bits = space.test[image.value].slice();
    redraw();
  }

  /** One button of the grid takes part in the order of Tab; arrow keys pass that on. */
  function move(event) {
    const at = buttons.indexOf(document.activeElement);
    const width = buttons.filter((button) => button.offsetTop === buttons[0].offsetTop).length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
    const ends = { Home: 0, End: buttons.length - 1 };
    const to = event.key in ends ? ends[event.key] : at + steps[event.key];
    if (at < 0 || !buttons[to]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  }

  function draw() {
    const encoded = space.test[image.value];
    const [old, now] = [encoded, bits].map((latent) => space.decode(latent));
    before.draw(old, "The test image, encoded and decoded");
    after.draw(now, "The image of your bits");
    buttons.forEach((button, i) => {
      const changed = bits[i] !== encoded[i];
      button.className = `${bits[i] > 0 ? "on" : "off"}${changed ? " changed" : ""}`;
      button.setAttribute("aria-pressed", bits[i] > 0);
      button.setAttribute("aria-label", `Bit ${i + 1}${changed ? ", changed" : ""}`);
    });
    const squares = old.pixels.reduce((sum, v, i) => sum + (v - now.pixels[i]) ** 2, 0);
    said.textContent =
      `${hamming(encoded, bits)} of ${space.size} bits changed, which changes the image by ` +
      `${Math.sqrt(squares / old.pixels.length).toFixed(1)} grey levels RMS.`;
  }

  const intro = `These ${space.size} bits are all that the decoder knows of the image.`;
  const parts = [image, row(before, after), grid, row(reset, some), said];
  return { intro, parts, draw };
}
