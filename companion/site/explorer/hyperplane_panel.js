/*
 * Panel: a random hyperplane turns, and the bits whose vectors it passes flip.
 */

function hyperplanePanel(space) {
  const redraw = beforeNextFrame(draw);
  const randomSeed = seed("New hyperplane", redraw);
  const angle = slider("Angle", { max: 180, value: 30, shown: (v) => `${v}°` }, redraw);
  const before = picture("at the start"), after = picture("turned");
  const squares = bitSquares();
  const said = status();

  function draw() {
    const random = new RandomSource(randomSeed.value);
    const [first, second] = perpendicularNormals(space.hyperplanes.rank, random);
    const radians = (angle.value * Math.PI) / 180;
    const turned = combine(Math.cos(radians), first, Math.sin(radians), second);
    const start = space.hyperplanes.bits(first);
    const bits = space.hyperplanes.bits(turned);
    before.draw(space.decode(start), "Image of the hyperplane at the start");
    after.draw(space.decode(bits), `Image of the hyperplane turned by ${angle.value}°`);
    squares.draw(bits, start);
    const flipped = hamming(start, bits);
    said.textContent = `Turned by ${angle.value}°: ${flipped} of ${space.size} bits flipped (orange).`;
  }

  const intro =
    "Every bit has a vector. A hyperplane through the origin gives each bit the sign of the side " +
    "on which its vector lies (Eq. 12). Turn it towards a second random hyperplane.";
  return { intro, parts: [randomSeed, angle, row(before, after), squares, said], draw };
}
