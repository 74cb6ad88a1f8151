// A look-up: a form, and the rows that it finds, page by page.

import { address, ask } from "./api.js";
import { h, say } from "./dom.js";
import { parametersForm } from "./form.js";
import { names } from "./report.js";
import { button, rowsTable } from "./table.js";

export function lookupSection(pipeline, about) {
  const id = `lookup-${about.name}`;
  const found = h("div", { hidden: true });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const table = rowsTable({ caption: about.title, columns: names(about.columns), name: `${pipeline}-${about.name}` });
  const more = button("Load more rows", () => load(true), { hidden: true });
  let [values, rows, following] = [{}, [], null];

  async function load(further) {
    try {
      const answer = await ask(address(`/api/${pipeline}/lookups/${about.name}`, further ? { ...values, offset: following } : values));
      rows = further ? [...rows, ...answer.rows] : answer.rows;
      following = answer.next_offset ?? null;
      table.show(rows);
      found.hidden = false;
      more.hidden = following === null;
      problem.hidden = true;
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
    }
  }

  found.append(table.element, more);
  return h("section", { class: "panel lookup", id, "aria-labelledby": `${id}-title` },
    h("h3", { id: `${id}-title` }, about.title),
    about.about ? h("p", { class: "about" }, about.about) : null,
    parametersForm({
      label: about.title, verb: "Look up", parameters: about.parameters,
      submitted: (given) => {
        values = given;
        return load(false);
      },
    }),
    problem, found,
  );
}
