// All pipelines, each with its stages as they stand.

import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { follow } from "./live.js";
import { liveGraph } from "./stages.js";

// A browser has six connections for a server; further pipelines are looked at now and then.
const STREAMS_MAX = 4;
const LOOK_MS = 5_000;

export async function home(main, pipelines, lives) {
  document.title = "Qanat";
  const sections = pipelines.map(() => h("section", { class: "panel" }));
  fill(main, h("h1", {}, "Pipelines"), sections);
  await Promise.all(pipelines.map((pipeline, index) => card(sections[index], pipeline, index < STREAMS_MAX, lives)));
}

async function card(section, { name, title }, streamed, lives) {
  const id = `pipeline-${name}`;
  section.setAttribute("aria-labelledby", id);
  fill(section, h("h2", { id }, h("a", { href: `/pipelines/${encodeURIComponent(name)}` }, name)), h("p", { class: "about" }, title));
  const path = `/api/${encodeURIComponent(name)}`;
  const update = await liveGraph(section, name);
  if (streamed) return follow(`${path}/live`, (type, data) => type === "stages" && update(data), (isLive) => lives(name, isLive));
  setInterval(async () => document.hidden || update(await ask(`${path}/stages`)), LOOK_MS);
}
