/*
 * What the panels show: images on canvases, bits as squares, and curves.
 */

/** An element with attributes and children; attributes that are functions listen to events. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A canvas with a caption below it. `draw(image, name)` shows an image and says what it is. */
function picture(caption) {
  const canvas = element("canvas", {
    role: "img", width: 1, height: 1, "aria-label": "Not computed yet",
  });
  const figure = element("figure", { class: "lbae-picture" }, canvas);
  if (caption) figure.append(element("figcaption", {}, caption));
  figure.draw = (image, name) => {
    drawImage(canvas, image);
    canvas.setAttribute("aria-label", name);
  };
  return figure;
}

/** Pixels, channels last, of one or three channels. */
function drawImage(canvas, { side, channels, pixels }) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const data = context.createImageData(side, side);
  for (let pixel = 0; pixel < side * side; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      data.data[4 * pixel + channel] = pixels[pixel * channels + (channels === 3 ? channel : 0)];
    }
    data.data[4 * pixel + 3] = 255;
  }
  context.putImageData(data, 0, 0);
}

/** Bits as squares: +1 full, -1 empty, changed ones in another colour. */
function bitSquares() {
  const box = element("div", { class: "lbae-bits", role: "img" });
  box.draw = (bits, start) => {
    let changed = 0;
    bits.forEach((bit, i) => {
      const square = box.children[i] ?? box.appendChild(element("span"));
      const differs = bit !== start[i];
      changed += differs;
      square.className = `${bit > 0 ? "on" : "off"}${differs ? " changed" : ""}`;
    });
    box.setAttribute("aria-label", `${bits.length} bits, ${changed} of them changed`);
  };
  return box;
}

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320, HEIGHT = 96, MARGIN = 6;

/** Curves of values from 0 to 1, and a line where the slider stands. */
function chart() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("class", "lbae-chart");
  const across = (share) => MARGIN + (WIDTH - 2 * MARGIN) * share;
  const down = (share) => HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share;
  const add = (name, attributes) => {
    const made = svg.appendChild(document.createElementNS(SVG, name));
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };
  const marker = { y1: down(0), y2: down(1), class: "marker" };
  svg.draw = (curves, at, name) => {
    svg.replaceChildren();
    add("line", { ...marker, x1: across(at), x2: across(at) });
    for (const { kind, values } of curves) {
      const points = values.map((v, i) => `${across(i / (values.length - 1))},${down(v)}`);
      add("polyline", { points: points.join(" "), class: kind });
    }
    svg.setAttribute("aria-label", name);
  };
  return svg;
}
