// The page of one pipeline: stages, reports, look-ups, dead letters, files.

import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { filesSection } from "./figures.js";
import { lettersSection } from "./letters.js";
import { follow } from "./live.js";
import { lookupSection } from "./lookup.js";
import { reportSection } from "./report.js";
import { liveGraph } from "./stages.js";
import { tablesSection } from "./tables.js";

// What will soon be scrolled to is loaded already.
const AHEAD = "400px";

export async function pipelinePage(main, { name, title, tables: kept }, lives) {
  document.title = `${name} – Qanat`;
  const path = `/api/${encodeURIComponent(name)}`;
  const stages = h("section", { class: "panel", id: "stages", "aria-labelledby": "stages-title" }, h("h2", { id: "stages-title" }, "Stages"));
  const contents = h("nav", { class: "contents", "aria-label": "On this page" });
  fill(main, h("h1", {}, name), h("p", { class: "lead" }, title), contents, stages);
  const [told, { lookups }, tables, update] = await Promise.all([
    ask(`${path}/reports`), ask(`${path}/lookups`), tablesSection(name), liveGraph(stages, name),
  ]);
  const files = kept.includes("files") ? filesSection(name) : null;
  const reports = told.reports.map((about) => reportSection(name, about));
  const letters = kept.includes("dead_letters") ? lettersSection(name) : null;
  const groups = [
    files?.element,
    reports.length ? group("reports", "Reports", reports.map(({ element }) => element)) : null,
    lookups.length ? group("lookups", "Look-ups", lookups.map((about) => lookupSection(name, about))) : null,
    letters?.element,
    tables,
  ].filter(Boolean);
  main.append(...groups);
  fill(contents, h("ul", {}, [stages, ...groups].map((each) => h("li", {}, h("a", { href: `#${each.id}` }, each.querySelector("h2").textContent)))));
  const inSight = lazily([files, ...reports, letters].filter(Boolean));
  document.getElementById(location.hash.slice(1))?.scrollIntoView();

  let commits = "";
  follow(`${path}/live`, (type, data) => {
    if (type === "report") reports.find((_, index) => told.reports[index].name === data.name)?.refresh(data.made_at);
    if (type !== "stages") return;
    update(data);
    const now = JSON.stringify(data.states.map((state) => [state.last_commit_at, state.records]));
    if (commits && now !== commits) for (const each of inSight) each.committed?.();
    commits = now;
  }, (isLive) => lives(name, isLive));
}

function group(id, title, sections) {
  return h("section", { id, class: "group", "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), sections);
}

// Load each section when it is about to be seen; returns those that are in sight.
function lazily(sections) {
  const inSight = new Set();
  const loaded = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const section = sections.find(({ element }) => element === entry.target);
      if (!entry.isIntersecting) inSight.delete(section);
      else {
        inSight.add(section);
        if (!loaded.has(section)) {
          loaded.add(section);
          section.load();
        }
      }
    }
  }, { rootMargin: AHEAD });
  for (const { element } of sections) observer.observe(element);
  return inSight;
}
