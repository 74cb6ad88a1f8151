// The stages of a pipeline as a graph: boxes in HTML, so that texts wrap and are read aloud; the edges behind them in SVG.

import { fill, h, say, svg } from "./dom.js";
import { compact, count, timeOf } from "./format.js";

// Below this a column is too narrow for its words, and the boxes stand one below the other.
const COLUMN_PX_MIN = 176;

// Make a graph of `nodes` ({id, kind, name, about}) and `edges` ({from, to, guarantee}); `update(states)` tells how the stages stand.
export function stageGraph({ nodes, edges }, label) {
  const layers = layered(nodes, edges);
  const drawing = svg("svg", { class: "edges", "aria-hidden": "true", focusable: "false" });
  const boxes = new Map(nodes.map((node) => [node.id, box(node, edges, nodes)]));
  const columns = layers.map((ids) => h("ul", { class: "layer" }, ids.map((id) => boxes.get(id).element)));
  const element = h("div", { class: "graph", role: "group", "aria-label": label }, drawing, columns);

  const observer = new ResizeObserver(() => {
    element.classList.toggle("stacked", element.clientWidth < layers.length * COLUMN_PX_MIN);
    connect(element, drawing, boxes, edges);
  });
  observer.observe(element);
  for (const { element: each } of boxes.values()) observer.observe(each);

  return {
    element,
    update(states) {
      for (const state of states) boxes.get(`stage:${state.stage}`)?.update(state);
    },
  };
}

// The order of the boxes: each to the right of all that leads to it.
function layered(nodes, edges) {
  const depth = new Map(nodes.map(({ id }) => [id, 0]));
  for (let round = 0; round < nodes.length; round += 1) {
    let moved = false;
    for (const { from, to } of edges) {
      if (depth.get(to) <= depth.get(from)) {
        depth.set(to, depth.get(from) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  const layers = [];
  for (const { id } of nodes) (layers[Math.min(depth.get(id), nodes.length)] ??= []).push(id);
  return layers.filter(Boolean);
}

function box(node, edges, nodes) {
  const named = (id) => nodes.find((each) => each.id === id)?.name ?? id;
  const into = edges.filter((edge) => edge.to === node.id);
  const facts = h("dl", { class: "facts", hidden: true });
  const stall = h("p", { class: "stall", hidden: true });
  const element = h("li", { class: `node ${node.kind}` },
    h("p", { class: "kind" }, node.kind === "input" ? `input: ${node.about}` : node.kind),
    h("p", { class: "name" }, breakable(node.name)),
    into.map((edge) => h("p", { class: "from" }, `from ${named(edge.from)}${edge.guarantee ? `: ${edge.guarantee}` : ""}`)),
    facts, stall,
  );
  const values = new Map();
  return {
    element,
    update(state) {
      for (const [name, text] of Object.entries(told(state))) {
        if (!values.has(name)) {
          const value = h("dd", { "data-fact": name });
          facts.append(h("div", {}, h("dt", {}, name), value));
          values.set(name, value);
        }
        say(values.get(name), text);
      }
      facts.hidden = false;
      stall.hidden = !state.stall_reason;
      say(stall, state.stall_reason ? `Stalled since ${timeOf(state.stalled_since)}: ${state.stall_reason}` : "");
      element.classList.toggle("stalled", Boolean(state.stall_reason));
    },
  };
}

// Long names break where their parts meet.
function breakable(name) {
  return name.split(/(?<=[_/.-])/).flatMap((part) => [part, h("wbr")]);
}

function told(state) {
  const facts = {};
  facts["records/s"] = compact(state.rate);
  facts.records = count(state.records);
  if (state.lag !== null && state.lag !== undefined) facts.lag = count(state.lag);
  facts.committed = timeOf(state.last_commit_at);
  return facts;
}

function connect(element, drawing, boxes, edges) {
  const origin = element.getBoundingClientRect();
  const stacked = element.classList.contains("stacked");
  drawing.setAttribute("width", element.scrollWidth);
  drawing.setAttribute("height", element.scrollHeight);
  const place = (id) => {
    const at = boxes.get(id).element.getBoundingClientRect();
    return { left: at.left - origin.left, right: at.right - origin.left, top: at.top - origin.top, bottom: at.bottom - origin.top, middle: at.top - origin.top + 22 };
  };
  fill(drawing, edges.filter(({ from, to }) => boxes.has(from) && boxes.has(to)).map((edge, index) => {
    const [a, b] = [place(edge.from), place(edge.to)];
    return stacked ? elbow(a, b, index, edges.length) : curve(a, b, edge.guarantee);
  }));
}

// From the right of one box to the left of another, with the guarantee above the end.
function curve(a, b, guarantee) {
  const bend = (b.left - a.right) / 2;
  const path = `M${a.right} ${a.middle} C${a.right + bend} ${a.middle} ${b.left - bend} ${b.middle} ${b.left - 7} ${b.middle}`;
  const words = (guarantee ?? "").split(/ (?=\S+$)/);
  return svg("g", { class: classOf(guarantee) },
    svg("path", { d: path }),
    svg("path", { class: "tip", d: tip(b.left, b.middle) }),
    svg("text", { x: b.left - 8, y: b.middle - 7 - 12 * (words.length - 1), "text-anchor": "end" },
      words.map((word, line) => svg("tspan", { x: b.left - 8, dy: line ? 12 : 0 }, word))),
  );
}

// Down along the left of the boxes, each edge in a lane of its own.
function elbow(a, b, index, of) {
  const lane = Math.max(4, a.left - 10 - ((index * 5) % Math.max(5, Math.min(18, of * 5))));
  const path = `M${a.left} ${a.middle + 6} H${lane} V${b.middle} H${b.left - 7}`;
  return svg("g", {}, svg("path", { d: path }), svg("path", { class: "tip", d: tip(b.left, b.middle) }));
}

function tip(x, y) {
  return `M${x} ${y} l-8 -4.5 v9 z`;
}

function classOf(guarantee) {
  return `edge ${(guarantee ?? "").replaceAll(" ", "-")}`;
}
