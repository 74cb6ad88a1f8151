// The tables of a pipeline, to look into.

import { address, ask } from "./api.js";
import { h, say } from "./dom.js";
import { names } from "./report.js";
import { button, rowsTable } from "./table.js";

export async function tablesSection(pipeline) {
  const { tables } = await ask(`/api/${pipeline}/tables`);
  return h("section", { id: "tables", class: "panel", "aria-labelledby": "tables-title" },
    h("h2", { id: "tables-title" }, "Tables"),
    tables.map((table) => oneTable(pipeline, table)),
  );
}

function oneTable(pipeline, about) {
  const table = rowsTable({ caption: about.name, columns: names(about.columns), name: `${pipeline}-${about.name}` });
  const more = button("Load more rows", () => load(), { hidden: true });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  let [rows, following, asked] = [[], {}, false];

  async function load() {
    try {
      const answer = await ask(address(`/api/${pipeline}/tables/${about.name}`, following));
      rows = [...rows, ...answer.rows];
      following = { cursor: answer.next_cursor, offset: answer.next_offset };
      table.show(rows);
      more.hidden = (answer.next_cursor ?? answer.next_offset ?? null) === null;
      problem.hidden = true;
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
    }
  }

  return h("details", { ontoggle: (event) => {
    if (event.target.open && !asked) {
      asked = true;
      load();
    }
  } }, h("summary", {}, `${about.name}`, about.about ? h("span", { class: "about" }, ` – ${about.about}`) : null), problem, table.element, more);
}
