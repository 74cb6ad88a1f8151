// Dead letters: what couldn't be counted, why, and counting it after all.

import { address, ask, respond, save } from "./api.js";
import { fill, freshId, h, say } from "./dom.js";
import { count, moment } from "./format.js";
import { button } from "./table.js";

const STATES = ["open", "replayed", "dropped", "superseded"];
const PAGE = 20;

export function lettersSection(pipeline) {
  const path = `/api/${pipeline}/dead-letters`;
  const list = h("ul", { class: "letters" });
  const told = h("p", { class: "told", role: "status" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const select = h("select", { id: freshId("state"), onchange: () => load() }, STATES.map((each) => h("option", {}, each)));
  const more = button("Load more", () => load(following), { hidden: true });
  let following = null;

  async function load(after = null) {
    try {
      const answer = await ask(address(path, { state: select.value, limit: PAGE, after }));
      const items = answer.dead_letters.map((letter) => item(path, letter));
      if (after === null) fill(list, items);
      else list.append(...items);
      following = answer.next_after;
      more.hidden = following === null;
      const there = list.children.length;
      say(told, there ? `${count(there)}${following ? " or more" : ""} ${select.value}` : `None ${select.value}.`);
      problem.hidden = true;
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
    }
  }

  async function download() {
    const answer = await respond(address(`${path}/download`, { state: select.value }));
    save(`${pipeline}-dead-letters-${select.value}.ndjson`, await answer.blob());
  }

  const element = h("section", { class: "panel", id: "dead-letters", "aria-labelledby": "dead-letters-title" },
    h("h2", { id: "dead-letters-title" }, "Dead letters"),
    h("p", { class: "about" }, "Records that couldn't be counted, with the reason. Nothing of them is lost: a letter can be replayed, corrected or as it is."),
    h("div", { class: "tools" },
      h("label", { for: select.id }, "State"), select,
      button("Look again", () => load()),
      button("Download all", download),
    ),
    problem, told, list, more,
  );
  return { element, load };
}

function item(path, letter) {
  const where = [letter.origin, letter.line !== null ? `line ${count(letter.line)}` : null, letter.byte_offset !== null ? `byte ${count(letter.byte_offset)}` : null];
  const cut = letter.length > 0 && byteLength(letter) < letter.length;
  return h("li", { class: "letter" },
    h("h3", {}, letter.reason),
    h("p", { class: "where" }, `${where.filter(Boolean).join(", ")} · stage ${letter.stage} · ${moment(letter.rejected_at)} UTC`),
    h("pre", { tabindex: "0", role: "region", "aria-label": `Raw text of ${letter.id}` }, letter.raw),
    cut ? h("p", { class: "where" }, `The first bytes of ${count(letter.length)}.`) : null,
    letter.state === "open" ? replay(path, letter) : null,
  );
}

function replay(path, letter) {
  const id = freshId("line");
  const input = h("input", { id, type: "text", maxlength: "4096", autocomplete: "off", spellcheck: "false", placeholder: "as it is" });
  const outcome = h("p", { class: "outcome", role: "status" });
  const send = h("button", { type: "submit", "aria-label": `Replay ${letter.id}` }, "Replay");
  return h("form", { class: "replay", "aria-label": `Replay ${letter.id}`, onsubmit: async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      const { outcome: came } = await ask(`${path}/${encodeURIComponent(letter.id)}/replay`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ line: input.value === "" ? null : input.value }),
      });
      outcome.className = "outcome good";
      input.disabled = true;
      say(outcome, `Replayed: ${Object.entries(came).filter(([name]) => name !== "letter").map(([name, value]) => `${name} ${value}`).join(", ")}`);
    } catch (error) {
      outcome.className = "outcome bad";
      say(outcome, `Not replayed: ${error.message}`);
      send.disabled = false;
    }
  } }, h("label", { for: id }, "Corrected"), input, send, outcome);
}

function byteLength(letter) {
  return Math.floor((letter.raw_base64.replace(/=+$/, "").length * 3) / 4);
}
