// Parameters of a report or a look-up as a form.

import { freshId, h } from "./dom.js";
import { words } from "./format.js";

// Make a form. `submitted(values)` gets the text of each parameter that was set.
export function parametersForm({ label, verb, parameters, submitted }) {
  const fields = parameters.map(field);
  const form = h("form", { class: "parameters", "aria-label": label, onsubmit: (event) => {
    event.preventDefault();
    submitted(Object.fromEntries(fields.map(({ name, input }) => [name, input.value.trim()]).filter(([, value]) => value !== "")));
  } },
    fields.map(({ element }) => element),
    h("button", { type: "submit", class: "primary" }, verb),
  );
  return form;
}

function field(parameter) {
  const id = freshId("field");
  const about = `${id}-about`;
  const common = { id, name: parameter.name, "aria-describedby": about, autocomplete: "off" };
  const input = parameter.choices?.length
    ? h("select", common, parameter.choices.map((each) => h("option", { selected: each === parameter.default }, each)))
    : h("input", { ...common, type: "text", value: parameter.default, required: parameter.required ?? false, size: "14", spellcheck: "false" });
  return {
    name: parameter.name,
    input,
    element: h("div", { class: "field" },
      h("label", { for: id }, words(parameter.name)),
      input,
      h("small", { id: about }, parameter.about),
    ),
  };
}
