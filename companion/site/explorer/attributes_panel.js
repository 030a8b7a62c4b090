/*
 * Panel: bits set by the mean latent of a class or attribute (Eq. 17).
 */

const PAPER_THRESHOLD = 0.1; // D in Section 4.3

function attributesPanel(space) {
  const redraw = beforeNextFrame(draw);
  const image = thumbnails("Test image", space, 0, redraw);
  const names = space.about.attributes.map((name, i) => [i, name]);
  const attribute = choice("Class or attribute", names, redraw);
  const kinds = [["mean", "mean latent (paper)"], ["contrast", "mean minus that of the others"]];
  const kind = choice("Direction", kinds, redraw);
  const threshold = slider(
    "Threshold D",
    { max: 1, step: 0.01, value: PAPER_THRESHOLD, shown: (v) => v.toFixed(2) },
    redraw,
  );
  const before = picture("as encoded"), after = picture("bits set");
  const squares = bitSquares();
  const said = status();

  function draw() {
    const source = space.test[image.value];
    const direction = space.direction(Number(attribute.value), kind.value);
    const edited = setAttribute(source, direction, threshold.value);
    before.draw(space.decode(source), "The test image, encoded and decoded");
    after.draw(space.decode(edited), "The image with its bits set");
    squares.draw(edited, source);
    const set = direction.filter((p) => Math.abs(p) > threshold.value).length;
    said.textContent =
      `${set} of ${space.size} bits have |p| above ${threshold.value.toFixed(2)} and are set; ` +
      `${hamming(source, edited)} of them change.`;
  }

  const intro =
    "Eq. 17 sets each bit to the sign of its mean p over the training images of a class, if |p| " +
    "exceeds D.";
  const choices = element("div", { class: "lbae-choices" }, attribute, kind);
  const parts = [image, choices, threshold, row(before, after), squares, said];
  return { intro, parts, draw };
}
