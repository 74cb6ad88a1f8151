// What a run counts, out of the text that Prometheus reads.

import { respond } from "./api.js";

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export async function metrics() {
  const answer = await respond("/metrics", { headers: { Accept: "text/plain" } });
  return parsed(await answer.text());
}

// Each series as {name, labels, value}.
export function parsed(text) {
  const series = [];
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    series.push({ name: found[1], labels, value: Number(found[3]) });
  }
  return series;
}

// The sum of the series of a name whose labels are as given; null where there is none.
export function total(series, name, labels) {
  const those = series.filter((each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value));
  return those.length ? those.reduce((sum, each) => sum + each.value, 0) : null;
}
