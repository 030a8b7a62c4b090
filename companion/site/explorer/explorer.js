/*
 * The explorer: tabs of panels on one of the page's models.
 */

const PANELS = [
  ["Hyperplane", hyperplanePanel],
  ["Samples", samplesPanel],
  ["Interpolation", interpolationPanel],
  ["Bits", bitsPanel],
  ["Classes", attributesPanel],
];

/** Parts side by side. */
function row(...parts) {
  return element("div", { class: "lbae-row" }, ...parts);
}

/** Panels as tabs: arrow keys, Home and End move between them. A panel is made when first shown. */
function tabs(space) {
  const offered = PANELS.filter(([name]) => name !== "Classes" || space.about.attributes.length);
  const pages = offered.map((_, i) =>
    element("div", {
      role: "tabpanel", id: `lbae-panel-${i}`, "aria-labelledby": `lbae-tab-${i}`, tabindex: 0,
    }),
  );
  const buttons = offered.map(([name], i) =>
    element(
      "button",
      {
        type: "button", role: "tab", id: `lbae-tab-${i}`, "aria-controls": `lbae-panel-${i}`,
        click: () => show(i),
      },
      name,
    ),
  );
  const list = element("div", { role: "tablist", "aria-label": "Panels" }, ...buttons);
  list.addEventListener("keydown", ({ key }) => {
    const at = buttons.indexOf(document.activeElement);
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 };
    if (!(key in steps)) return;
    const to = (steps[key] + buttons.length) % buttons.length;
    show(to);
    buttons[to].focus();
  });

  function show(chosen) {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", i === chosen);
      button.tabIndex = i === chosen ? 0 : -1;
      pages[i].hidden = i !== chosen;
    });
    if (pages[chosen].childElementCount) return;
    const panel = offered[chosen][1](space);
    pages[chosen].append(element("p", {}, panel.intro), ...panel.parts);
    panel.draw();
  }

  show(0);
  return [list, ...pages];
}

function openExplorer(root, models) {
  const body = element("div");
  const shown = models.map((model, i) => [i, model.dataset.title]);
  const model = choice("Model", shown, () => open());
  function open() {
    root.space = new Space(JSON.parse(models[model.value].textContent)); // for programs, too
    body.replaceChildren(...tabs(root.space));
  }
  root.append(...(models.length > 1 ? [model] : []), body);
  open();
}

openExplorer(
  document.getElementById("lbae-explorer"), [...document.querySelectorAll(".lbae-model")],
);
