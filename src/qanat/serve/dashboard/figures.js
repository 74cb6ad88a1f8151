// The files of a pipeline and how fast they are read: figures that move, and the list of what became of each.

import { address, ask } from "./api.js";
import { fill, h, say } from "./dom.js";
import { bytes, compact, count } from "./format.js";
import { metrics, total } from "./metrics.js";
import { button, rowsTable } from "./table.js";

const LOOK_MS = 2_000;
const LIST_MS = 3_000;
// Rates are those of about this span: long enough not to jump, short enough to be now.
const SPAN_MS = 10_000;
const FILES = 200;
const COLUMNS = ["name", "state", "size", "lines_good", "lines_bad", "registered_at", "ended_at", "reason"];

// The section of a pipeline that reads files.
export function filesSection(pipeline) {
  const path = `/api/${pipeline}/files`;
  const figures = h("dl", { class: "figures" });
  const shown = new Map();
  const seen = [];
  let timer = 0;
  const table = rowsTable({ caption: "Files, newest first", columns: COLUMNS, name: `${pipeline}-files` });

  async function look() {
    if (!document.hidden) {
      try {
        figure(figures, shown, numbers(await metrics(), pipeline, seen));
      } catch {
        // The sign of the live connection tells that the server can't be reached.
      }
    }
    setTimeout(look, LOOK_MS);
  }

  async function load() {
    timer = 0;
    if (seen.length === 0) look();
    const answer = await ask(address(path, { limit: FILES }));
    table.show(answer.files);
  }

  const element = h("section", { class: "panel", id: "files", "aria-labelledby": "files-title" },
    h("h2", { id: "files-title" }, "Files and throughput"),
    figures,
    h("div", { class: "tools" }, button("Look again", load)),
    table.element,
  );
  return {
    element,
    load,
    committed() {
      timer ||= setTimeout(load, LIST_MS);
    },
  };
}

function numbers(series, pipeline, seen) {
  const now = performance.now();
  const of = (name, labels = {}) => total(series, name, { pipeline, ...labels });
  const sample = { now, lines: of("qanat_records_read_total"), bytes: of("qanat_bytes_read_total") };
  seen.push(sample);
  while (seen.length > 2 && now - seen[0].now > SPAN_MS) seen.shift();
  const seconds = (now - seen[0].now) / 1000;
  const rate = (name) => (sample[name] === null || seconds === 0 ? null : Math.max(0, sample[name] - (seen[0][name] ?? 0)) / seconds);
  const told = {};
  if (sample.lines !== null || sample.bytes !== null) {
    told["lines/s"] = compact(rate("lines"));
    told["bytes/s"] = rate("bytes") === null ? "–" : `${bytes(rate("bytes"))}`;
  }
  told["lines counted"] = count(of("qanat_stored_lines", { quality: "good" }));
  told["malformed lines"] = count(of("qanat_stored_lines", { quality: "bad" }));
  told["bytes waiting"] = bytes(of("qanat_stored_bytes_waiting") ?? 0);
  told["open dead letters"] = count(of("qanat_stored_dead_letters", { state: "open" }) ?? 0);
  for (const each of series) {
    if (each.name === "qanat_stored_files" && each.labels.pipeline === pipeline) told[`files ${each.labels.state}`] = count(each.value);
  }
  return told;
}

function figure(list, shown, told) {
  for (const [name, text] of Object.entries(told)) {
    if (!shown.has(name)) shown.set(name, h("dd", { "data-figure": name }));
    say(shown.get(name), text);
  }
  const names = Object.keys(told);
  if (list.children.length !== names.length) {
    fill(list, names.map((name) => h("div", {}, h("dt", {}, name), shown.get(name))));
  }
}
