// All pipelines, each with its stages as they stand.

import { ask } from "./api.js";
import { fill, h, say } from "./dom.js";
import { follow } from "./live.js";
import { liveGraph } from "./stages.js";

// A browser has six connections for a server; further pipelines are looked at now and then.
const STREAMS_MAX = 4;
const LOOK_MS = 5_000;

export async function home(main, pipelines, lives) {
  document.title = "Qanat";
  const sections = pipelines.map(() => h("section", { class: "panel" }));
  fill(main, h("h1", {}, "Pipelines"), sections);
  for (const [index, pipeline] of pipelines.entries()) card(sections[index], pipeline, index < STREAMS_MAX, lives);
}

async function card(section, { name, title }, streamed, lives) {
  const id = `pipeline-${name}`;
  section.setAttribute("aria-labelledby", id);
  fill(section, h("h2", { id }, h("a", { href: `/pipelines/${encodeURIComponent(name)}` }, name)), h("p", { class: "about" }, title));
  const path = `/api/${encodeURIComponent(name)}`;
  const problem = section.appendChild(h("p", { class: "problem", role: "alert", hidden: true }));
  const update = await once(() => liveGraph(section, name), problem);
  if (streamed) return follow(`${path}/live`, (type, data) => type === "stages" && update(data), (isLive) => lives(name, isLive));
  setInterval(() => document.hidden || ask(`${path}/stages`).then(update, () => lives(name, false)), LOOK_MS);
}

// What can't be had now, such as a store in which nothing was counted yet, may be there soon.
async function once(had, problem) {
  for (;;) {
    try {
      const found = await had();
      problem.hidden = true;
      return found;
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
      await new Promise((waited) => setTimeout(waited, LOOK_MS));
    }
  }
}
