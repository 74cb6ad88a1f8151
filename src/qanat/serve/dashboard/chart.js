// Drawing a Vega-Lite specification of the API's, in the colours and the width of the page.

import { h, fill } from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const NARROW_PX = 520;
let loading = null;

// Draw `specification` into `place`. What it shows stands in a table as well, so to a screen reader it is one picture with a name.
export async function draw(place, specification, name) {
  // All that the API draws of nothing is a sentence, which the table says as well.
  place.hidden = specification.mark?.type === "text";
  if (place.hidden) return;
  place.redraw = () => embed(place, specification, name);
  await place.redraw();
}

dark.addEventListener("change", () => {
  for (const place of document.querySelectorAll(".chart")) place.redraw?.();
});

async function embed(place, specification, name) {
  const vegaEmbed = await library();
  const config = theme(place.clientWidth < NARROW_PX);
  const drawings = h("div", { class: "drawings", role: "img", "aria-label": name });
  const drawn = [];
  place.append(drawings); // below the old ones, which stay until these are there
  for (const view of views(structuredClone(specification))) {
    const one = drawings.appendChild(h("div", { class: "drawing" }));
    drawn.push(await vegaEmbed(one, view, {
      ast: true, // expressions are interpreted: the page's policy forbids to evaluate text
      renderer: "svg",
      actions: false,
      defaultStyle: false,
      tooltip: false,
      logLevel: 1, // errors alone
      config,
    }));
  }
  for (const result of place.drawn ?? []) result.finalize();
  place.drawn = drawn;
  fill(place, drawings);
}

// Each drawing by itself: only a single one can be as wide as its place.
function views(specification) {
  const { vconcat, spacing: _spacing, title: _title, config: _config, ...rest } = specification;
  const parts = vconcat ? vconcat.map((part) => ({ ...rest, ...part })) : [rest];
  return parts.map((part) => ({
    ...adapted(part),
    width: "container",
    autosize: { type: "fit-x", contains: "padding" },
  }));
}

// White gaps between bars are those of a white page.
function adapted({ mark, encoding, ...part }) {
  // Without, Vega-Lite sees two scales in conflict where a bar reaches from one moment to another, and warns.
  if (encoding?.x2) encoding.x2.type = encoding.x.type;
  if (mark?.stroke === "white") mark.stroke = colour("--panel");
  return { ...part, mark, encoding };
}

function theme(narrow) {
  const [text, faint, line] = [colour("--text"), colour("--faint"), colour("--line")];
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    axis: {
      labelColor: text, titleColor: faint, gridColor: line, domainColor: faint, tickColor: faint,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelOverlap: "greedy", labelSeparation: 6, labelLimit: narrow ? 110 : 220,
    },
    legend: { orient: "top", direction: "horizontal", labelColor: text, labelFontSize: 12, title: null, columns: narrow ? 3 : 8 },
    view: { stroke: null },
    aria: false,
  };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The library comes with the first chart.
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", { src: new URL("vega.js", import.meta.url).href, type: "module" });
    script.addEventListener("load", () => resolve(window.vegaEmbed));
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("the charts' library couldn't be had"));
    });
    document.head.append(script);
  });
  return loading;
}
