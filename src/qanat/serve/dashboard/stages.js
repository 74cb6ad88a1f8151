// What /stages and /live tell of a pipeline, drawn.

import { ask } from "./api.js";
import { fill, h, say } from "./dom.js";
import { count, words } from "./format.js";
import { stageGraph } from "./graph.js";

const HEALTH_MS = 10_000;

// Draw the stages of a pipeline into `section`; returns what takes an answer of /stages, or an event of /live.
export async function liveGraph(section, name) {
  const path = `/api/${encodeURIComponent(name)}`;
  const answer = await ask(`${path}/stages`);
  const edges = answer.edges.map((edge) => ({ from: edge.source, to: edge.target, guarantee: edge.guarantee }));
  const graph = stageGraph({ nodes: answer.nodes, edges }, `Stages of ${name}`);
  const letters = h("a", { href: `/pipelines/${encodeURIComponent(name)}#dead-letters` });
  const refused = answer.refused ?? [];
  section.append(
    ...refused.map((reason) => h("p", { class: "problem", role: "alert" }, `It wouldn't be started on this store: ${reason}`)),
    graph.element,
    h("p", { class: "told" }, letters),
    alarms(path),
  );
  const update = (told) => {
    graph.update(together(told.states));
    say(letters, `Open dead letters: ${count(told.dead_letters)}`);
    letters.classList.toggle("some", told.dead_letters > 0);
  };
  update(answer);
  return update;
}

// What makes health red: alarms that ring, reports that are overdue.
function alarms(path) {
  const list = h("ul", { class: "alarms", role: "status", "aria-label": "Alarms" });
  let known = "";
  async function look() {
    setTimeout(look, HEALTH_MS);
    if (document.hidden) return;
    try {
      const health = await ask(`${path}/health?alarms=false`);
      const rung = health.alarms.filter(({ rings }) => rings).map(({ alarm, text }) => `Alarm ${words(alarm)}: ${text}`);
      const stale = health.reports.filter((report) => report.stale).map(({ name }) => `The report ${name} is overdue`);
      const told = [...rung, ...stale];
      if (told.join("\n") === known) return;
      known = told.join("\n");
      fill(list, told.map((each) => h("li", {}, each)));
    } catch {
      // The sign of the live connection tells that the server can't be reached.
    }
  }
  look();
  return list;
}

// One state for each stage, whose instances share its work.
function together(states) {
  const stages = new Map();
  for (const state of states) {
    const found = stages.get(state.stage);
    stages.set(state.stage, found ? both(found, state) : state);
  }
  return [...stages.values()];
}

function both(a, b) {
  // An instance that has gone still has its row: how much waits is told by the one that moved last.
  const latest = Date.parse(a.last_commit_at ?? 0) > Date.parse(b.last_commit_at ?? 0) ? a : b;
  const stalled = a.stall_reason ? a : b;
  return {
    stage: a.stage,
    records: a.records + b.records,
    rate: a.rate === null && b.rate === null ? null : a.rate + b.rate,
    lag: latest.lag,
    last_commit_at: latest.last_commit_at,
    stalled_since: stalled.stalled_since,
    stall_reason: stalled.stall_reason,
  };
}
