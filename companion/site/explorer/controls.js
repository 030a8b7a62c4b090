/*
 * What the reader moves: sliders, choices, seeds, thumbnails; all with names and keyboard.
 *
 * A control is an element with the property `value`. It calls `changed` when the reader moves it.
 */

let controls = 0;

function labelled(name, input, extra = []) {
  input.id = `lbae-control-${controls++}`;
  const label = element("label", { for: input.id }, name);
  return element("div", { class: "lbae-control" }, label, input, ...extra);
}

/** A slider of numbers; `shown` makes its text from the value. */
function slider(name, { min = 0, max, step = 1, value = min, shown = String }, changed) {
  const text = element("output");
  const input = element("input", { type: "range", min, max, step, value });
  const update = () => {
    text.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", text.textContent);
  };
  input.addEventListener("input", () => {
    update();
    changed();
  });
  update();
  const box = labelled(name, input);
  input.before(text);
  text.setAttribute("for", input.id);
  Object.defineProperty(box, "value", {
    get: () => Number(input.value),
    set: (given) => {
      input.value = given;
      update();
    },
  });
  return box;
}

/** One of several values, given as pairs of value and label. */
function choice(name, options, changed) {
  const entries = options.map(([value, label]) => element("option", { value }, label));
  const select = element("select", { change: changed }, ...entries);
  const box = labelled(name, select);
  Object.defineProperty(box, "value", { get: () => select.value });
  return box;
}

/** A random seed, and a button for the next one. */
function seed(next, changed) {
  const input = element("input", {
    type: "number", min: 0, max: 9999, value: 0, inputmode: "numeric", input: changed,
  });
  const onward = element("button", { type: "button" }, next);
  onward.addEventListener("click", () => {
    input.value = (box.value + 1) % 10000;
    changed();
  });
  const box = labelled("Random seed", input, [onward]);
  Object.defineProperty(box, "value", {
    get: () => Math.min(9999, Math.max(0, Math.floor(Number(input.value)) || 0)),
  });
  return box;
}

/** A test image, chosen by its thumbnail. */
function thumbnails(name, space, start, changed) {
  const group = `lbae-control-${controls++}`;
  const source = `url(data:image/png;base64,${space.about.thumbnails})`;
  const count = space.test.length;
  const strip = element("div", { class: "lbae-thumbnails" });
  for (let index = 0; index < count; index++) {
    const label = space.testName(index);
    const input = element("input", {
      type: "radio", name: group, value: index, "aria-label": label, title: label,
      change: () => changed(),
    });
    input.checked = index === start;
    input.style.backgroundImage = source;
    input.style.backgroundSize = `${100 * count}% 100%`;
    input.style.backgroundPositionX = `${(100 * index) / Math.max(1, count - 1)}%`;
    strip.append(input);
  }
  const box = element("fieldset", {}, element("legend", {}, name), strip);
  Object.defineProperty(box, "value", {
    get: () => Number(strip.querySelector("input:checked").value),
  });
  return box;
}

/** A line that says what is shown; screen readers read it out when it changes. */
function status() {
  return element("p", { role: "status", class: "lbae-status" });
}

/** A function that runs `draw` once before the next frame, however often it is called. */
function beforeNextFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/**
 * Runs one task per turn, so that the page answers in between; `start` drops those left over.
 */
class Queue {
  start(tasks) {
    clearTimeout(this.timer);
    const next = (index) => {
      if (index === tasks.length) return;
      tasks[index]();
      this.timer = setTimeout(() => next(index + 1));
    };
    this.timer = setTimeout(() => next(0));
  }
}
