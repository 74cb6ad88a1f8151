// Server-sent events by fetch instead of EventSource, which can't send the token.

import { respond } from "./api.js";

const WAIT_FIRST_MS = 500;
const WAIT_MAX_MS = 30_000;
// The server sends at least a comment in this time; without, the connection is taken for dead.
const SILENCE_MAX_MS = 45_000;

// Follow a stream until the page goes. `heard(type, data)` gets each event, `changed(isLive)` how the connection is.
// A hidden page lets go of its connection: a browser has only six for a server.
export function follow(path, heard, changed) {
  let wait = WAIT_FIRST_MS;
  let stop = null;
  let timer = 0;

  async function connect() {
    clearTimeout(timer);
    stop?.abort();
    const mine = new AbortController();
    stop = mine;
    try {
      await read(path, mine, (type, data) => {
        wait = WAIT_FIRST_MS;
        changed(true);
        heard(type, data);
      }, () => changed(true));
    } catch (error) {
      if (mine !== stop || document.hidden) return;
      if (error.status === 404) return; // this server tells nothing live
    }
    if (mine !== stop || document.hidden) return;
    changed(false);
    timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, WAIT_MAX_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop?.abort();
    else connect();
  });
  connect();
}

async function read(path, stop, heard, opened) {
  let silence = setTimeout(() => stop.abort(), SILENCE_MAX_MS);
  try {
    const answer = await respond(path, { headers: { Accept: "text/event-stream" }, signal: stop.signal });
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser(heard);
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE_MAX_MS);
      parse(value);
    }
  } finally {
    clearTimeout(silence);
  }
}

// Take a stream apart, however it is cut. Lines end with LF or CRLF, which is all that our server sends.
export function parser(heard) {
  let rest = "";
  let type = "";
  let data = [];
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const ended of lines) {
      const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
      if (line === "") {
        if (data.length) heard(type || "message", JSON.parse(data.join("\n")));
        type = "";
        data = [];
      } else if (line.startsWith("event:")) type = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
  };
}
