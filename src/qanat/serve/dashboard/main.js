// Which page this is, the list of pipelines, the form for the token, the sign of life.

import { ask, keepToken, tokenAskedBy } from "./api.js";
import { fill, h, say } from "./dom.js";
import { home } from "./home.js";
import { pipelinePage } from "./pipeline.js";

const AGAIN_MS = 5_000;
const main = document.getElementById("main");
const sign = document.getElementById("live");

tokenAskedBy((wasWrong) => new Promise((given) => {
  const input = h("input", { id: "token", type: "password", required: true, autocomplete: "off" });
  const dialog = h("dialog", { class: "token", "aria-labelledby": "token-title" },
    h("form", { onsubmit: (event) => {
      event.preventDefault();
      keepToken(input.value);
      dialog.close();
      dialog.remove();
      given();
    } },
      h("h2", { id: "token-title" }, "This service wants a token"),
      h("p", { role: wasWrong ? "alert" : null }, wasWrong ? "That one is wrong." : "It is what the service was started with. It is kept until this tab is closed."),
      h("label", { for: "token" }, "Token"), input,
      h("button", { type: "submit", class: "primary" }, "Continue"),
    ),
  );
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
}));

// Live while every stream is; else since when it isn't.
const streams = new Map();
let since = null;
function lives(name, isLive) {
  streams.set(name, isLive);
  const all = [...streams.values()].every(Boolean);
  since = all ? null : since ?? new Date();
  sign.className = all ? "live on" : "live off";
  say(sign, all ? "Live" : `Not live since ${since.toTimeString().slice(0, 8)}`);
}

async function start() {
  const chosen = /^\/pipelines\/([^/]+)$/.exec(location.pathname);
  const { pipelines } = await ask("/api");
  fill(document.getElementById("pipelines"), h("ul", {}, pipelines.map(({ name }) =>
    h("li", {}, h("a", { href: `/pipelines/${encodeURIComponent(name)}`, "aria-current": chosen && decodeURIComponent(chosen[1]) === name ? "page" : null }, name)))));
  if (!chosen) return home(main, pipelines, lives);
  const name = decodeURIComponent(chosen[1]);
  const pipeline = pipelines.find((each) => each.name === name);
  if (pipeline) return pipelinePage(main, pipeline, lives);
  document.title = "No such pipeline – Qanat";
  fill(main, h("h1", {}, "There is no such pipeline here"), h("p", {}, h("a", { href: "/" }, "All pipelines")));
}

// What can't be had now, such as a store in which nothing was counted yet, may be there soon.
function begin() {
  main.ariaBusy = "true";
  start().catch((error) => {
    fill(main, h("h1", {}, "This page can't be shown now"), h("p", { class: "problem", role: "alert" }, error.message));
    setTimeout(begin, AGAIN_MS);
  }).finally(() => {
    main.ariaBusy = "false";
  });
}

begin();
