// A table of rows: sorted by a click on a heading, in pages, kept as CSV or JSON.

import { save } from "./api.js";
import { fill, h, say } from "./dom.js";
import { count, moment, words } from "./format.js";

const PAGE_ROWS = 20;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const DIGITS = /^-?\d+$/;

// Make a table. `name` is that of the files in which it is kept.
export function rowsTable({ caption, columns, name }) {
  const state = { columns, rows: [], page: 0, by: null, down: false };
  const head = h("tr");
  const body = h("tbody");
  const told = h("p", { class: "told", role: "status" });
  const before = button("Previous page", () => turn(-1));
  const after = button("Next page", () => turn(1));
  const pager = h("div", { class: "pager", role: "group", "aria-label": `Pages of ${caption}` }, before, told, after);
  const table = h("table", {}, h("caption", {}, caption), h("thead", {}, head), body);
  const scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": `${caption}, table` }, table);
  const downloads = h("p", { class: "downloads" },
    button("Download CSV", () => save(`${name}.csv`, new Blob([csv(state.columns, state.rows)], { type: "text/csv" }))),
    button("Download JSON", () => save(`${name}.json`, new Blob([json(state.rows)], { type: "application/json" }))),
  );

  function turn(by) {
    state.page += by;
    draw();
    if (document.activeElement?.disabled) (by > 0 ? before : after).focus();
  }

  function sort(column) {
    state.down = state.by === column ? !state.down : false;
    state.by = column;
    state.page = 0;
    draw();
    head.querySelector("[aria-sort] button")?.focus();
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(state.rows.length / PAGE_ROWS));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const start = state.page * PAGE_ROWS;
    const shown = sorted(state).slice(start, start + PAGE_ROWS);
    const numeric = new Set(state.columns.filter((column) => isNumeric(state.rows, column)));
    fill(head, state.columns.map((column) => heading(state, column, numeric.has(column), sort)));
    fill(body, shown.map((row) => h("tr", {}, state.columns.map((column, index) => cell(row[column], index, numeric.has(column))))));
    say(told, state.rows.length ? `${count(start + 1)} to ${count(start + shown.length)} of ${count(state.rows.length)}` : "No rows.");
    before.disabled = state.page === 0;
    after.disabled = state.page === pages - 1;
    before.hidden = after.hidden = pages === 1;
  }

  draw();
  return {
    element: h("div", { class: "rows" }, scroller, pager, downloads),
    show(rows, names = state.columns) {
      state.rows = rows;
      state.columns = names;
      draw();
    },
  };
}

// Exactly the values, as the command line prints them: null as nothing, an empty text as "".
export function csv(columns, rows) {
  const line = (values) => values.map(csvCell).join(",") || '""';
  return `${[columns, ...rows.map((row) => columns.map((column) => row[column]))].map(line).join("\n")}\n`;
}

// JSON with every digit of a BigInt, where the browser can write it.
export function json(rows) {
  return JSON.stringify(rows, (_key, value) => (typeof value !== "bigint" ? value : JSON.rawJSON ? JSON.rawJSON(String(value)) : String(value)), 1);
}

export function button(text, pressed, properties = {}) {
  return h("button", { type: "button", onclick: pressed, ...properties }, text);
}

function heading(state, column, numeric, sort) {
  const here = state.by === column;
  return h("th", { scope: "col", class: numeric ? "number" : null, "aria-sort": here ? (state.down ? "descending" : "ascending") : null },
    button(words(column), () => sort(column)),
    here ? h("span", { "aria-hidden": "true", class: "arrow" }, state.down ? "▼" : "▲") : null,
  );
}

function cell(value, index, numeric) {
  const text = shown(value);
  return index === 0 ? h("th", { scope: "row", class: numeric ? "number" : null }, text) : h("td", { class: numeric ? "number" : null }, text);
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  if (DIGITS.test(value)) return count(value);
  return MOMENT.test(value) ? moment(value) : value;
}

function isNumeric(rows, column) {
  const there = rows.map((row) => row[column]).filter((value) => value !== null && value !== undefined);
  return there.length > 0 && there.every((value) => typeof value === "number" || typeof value === "bigint" || (typeof value === "string" && DIGITS.test(value)));
}

function sorted({ rows, by, down }) {
  if (by === null) return rows;
  return rows.toSorted((left, right) => compared(left[by], right[by], down ? -1 : 1));
}

// What isn't there comes last, whichever way.
function compared(left, right, sign) {
  const missing = (value) => value === null || value === undefined;
  if (missing(left) || missing(right)) return Number(missing(left)) - Number(missing(right));
  const [a, b] = [left, right].map((value) => (typeof value === "string" && DIGITS.test(value) ? BigInt(value) : value));
  if (typeof a === "string" || typeof b === "string") return sign * String(a).localeCompare(String(b), "en");
  return sign * (a < b ? -1 : a > b ? 1 : 0);
}

function csvCell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (text === "") return '""';
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
