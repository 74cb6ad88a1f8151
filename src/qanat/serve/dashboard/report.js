// A report: what can be set of it, its chart, its rows, and how old they are.

import { address, ask } from "./api.js";
import { draw } from "./chart.js";
import { h, say } from "./dom.js";
import { parametersForm } from "./form.js";
import { moment, span, timeOf } from "./format.js";
import { rowsTable } from "./table.js";

// Between two looks at the same report lie at least this, and many times as long as the last one took.
const AGAIN_MS_MIN = 5_000;
const AGAIN_FACTOR = 20;
// The service keeps the newest of a stored report for a second, and tells of a newer one sooner.
const KEPT_MS = 1_500;

export function reportSection(pipeline, about) {
  const path = `/api/${pipeline}/reports/${about.name}`;
  const chart = h("figure", { class: "chart" });
  const notes = h("p", { class: "notes" });
  const age = h("p", { class: "age", role: "status" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const table = rowsTable({ caption: about.title, columns: names(about.columns), name: `${pipeline}-${about.name}` });
  let values = {};
  let [next, madeAt, newest] = [0, null, null];
  let timer = 0;

  async function load() {
    const began = performance.now();
    clearTimeout(timer);
    timer = 0;
    try {
      const [answer, specification] = await Promise.all([ask(address(path, values)), ask(address(`${path}/chart`, values))]);
      table.show(answer.rows);
      madeAt = answer.made_at;
      say(age, ageOf(answer));
      age.classList.toggle("stale", Boolean(answer.stale));
      say(notes, [specification.title?.subtitle ?? []].flat().join(" · "));
      problem.hidden = true;
      await draw(chart, specification, `Chart: ${about.title}. The table below has the same rows.`);
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
    }
    next = performance.now() + Math.max(AGAIN_MS_MIN, AGAIN_FACTOR * (performance.now() - began));
    if (isOld()) timer ||= setTimeout(load, KEPT_MS);
  }

  // Whether a newer one was told of than the one that is shown: it was told of while that was on its way.
  function isOld() {
    return !Object.keys(values).length && madeAt !== null && newest !== null && Date.parse(madeAt) < Date.parse(newest);
  }

  // Look again, but not sooner than is fair to the store.
  function later() {
    timer ||= setTimeout(load, Math.max(0, next - performance.now()));
  }

  const element = h("section", { class: "panel report", id: `report-${about.name}`, "aria-labelledby": `report-${about.name}-title` },
    h("h3", { id: `report-${about.name}-title` }, about.title),
    about.about ? h("p", { class: "about" }, about.about) : null,
    about.parameters.length
      ? h("details", { class: "settings" }, h("summary", {}, "Parameters"), parametersForm({
        label: `Parameters of ${about.title}`, verb: "Show", parameters: about.parameters,
        submitted: (given) => {
          values = changed(about.parameters, given);
          return load();
        },
      }))
      : null,
    problem, age, chart, notes, table.element,
  );
  return {
    element,
    load,
    // It was made at `moment`: its rows are there already.
    refresh(moment) {
      newest = moment;
      if (madeAt !== null && moment !== madeAt) load();
    },
    // Rows were committed: they change a report that is made when it is asked for.
    committed() {
      if (!about.every_s) later();
    },
  };
}

export function names(columns) {
  return columns.map((column) => (typeof column === "string" ? column : column.name));
}

function changed(parameters, given) {
  const defaults = Object.fromEntries(parameters.map((each) => [each.name, each.default]));
  return Object.fromEntries(Object.entries(given).filter(([name, value]) => value !== defaults[name]));
}

function ageOf(answer) {
  const told = [];
  if (answer.window_start) told.push(`Covers ${moment(answer.window_start)} to ${moment(answer.window_end)} UTC`);
  const age = answer.age_s >= 5 ? `, ${span(answer.age_s)} ago` : "";
  told.push(`made at ${timeOf(answer.made_at)}${age}`);
  if (answer.stale) told.push("older than it should be");
  return told.join("; ").replace(/^m/, "M");
}

