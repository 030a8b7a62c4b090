/*
 * Panel: a path between two test images, along the great circle between their hyperplanes.
 */

const FRAMES = 11; // of the strip
const POINTS = 101; // of the curves, and of the slider

function interpolationPanel(space) {
  const moved = beforeNextFrame(drawPoint);
  const last = space.test.length - 1;
  const source = thumbnails("First image", space, 0, draw);
  const target = thumbnails("Second image", space, last, draw);
  const position = slider(
    "Position", { max: POINTS - 1, value: 50, shown: (v) => `${v}%` }, moved,
  );
  const large = picture("on the path");
  const frames = Array.from({ length: FRAMES }, () => picture());
  const curves = chart();
  const key = element("p", { class: "lbae-key" });
  key.append(
    element("span", { class: "positive" }, "have left the first image"), " · ",
    element("span", { class: "negative" }, "have not reached the second"),
  );
  const said = status();
  const queue = new Queue();
  let path, away, left, ends;

  function draw() {
    ends = [source.value, target.value].map((index) => space.invert(index));
    path = new Path(space.hyperplanes, ends[0].normal, ends[1].normal);
    const points = Array.from({ length: POINTS }, (_, i) => path.bits(i / (POINTS - 1)));
    away = points.map((bits) => hamming(bits, points[0]));
    left = points.map((bits) => hamming(bits, points[POINTS - 1]));
    queue.start(
      frames.map((frame, i) => () => {
        const at = i / (FRAMES - 1);
        frame.draw(space.decode(path.bits(at)), `Image at ${Math.round(100 * at)}% of the path`);
      }),
    );
    drawPoint();
  }

  function drawPoint() {
    const at = position.value, length = away[POINTS - 1];
    large.draw(space.decode(path.bits(at / (POINTS - 1))), `Image at ${at}% of the path`);
    const shares = (counts) => counts.map((count) => count / Math.max(1, length));
    curves.draw(
      [{ kind: "positive", values: shares(away) }, { kind: "negative", values: shares(left) }],
      at / (POINTS - 1),
      `Of ${length} differing bits, ${away[at]} have left and ${left[at]} have not reached`,
    );
    said.textContent =
      `${at}% of the path: ${away[at]} of ${length} differing bits have left the first image, ` +
      `${left[at]} have not reached the second. Algorithm 1, with its sign restored, leaves ` +
      `${ends[0].wrong} and ${ends[1].wrong} wrong bits after ${ends[0].steps} and ` +
      `${ends[1].steps} steps.`;
  }

  const intro =
    "Algorithm 1 finds a hyperplane for each of two test images, here with its sign restored. On " +
    "the way from one hyperplane to the other, bits flip one after the other (Section 3.3).";
  const strip = element("div", { class: "lbae-strip" }, ...frames);
  const chartBox = element("div", { class: "lbae-chart-box" }, curves, key);
  const parts = [source, target, position, row(large, chartBox), strip, said];
  return { intro, parts, draw };
}
