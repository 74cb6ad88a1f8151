// Numbers, moments and spans as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fraction = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const INTEGER = /^-?\d+$/;

// A count: with separators, and exact however large; a text of digits is one too.
export function count(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return INTEGER.test(value) ? whole.format(BigInt(value)) : value;
  return Number.isInteger(value) ? whole.format(value) : fraction.format(value);
}

export function compact(value) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && Math.abs(value) < 10) return fraction.format(Number(value.toPrecision(2)));
  return Math.abs(value) < 10_000 ? whole.format(value) : short.format(value);
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
export function bytes(value) {
  let size = Number(value);
  let unit = 0;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${Number(size.toPrecision(3))} ${UNITS[unit]}`;
}

// A span of time in its largest unit: 45 s, 3 min, 2 h, 5 d.
export function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

// The time of a moment in UTC, with its day unless that is today. Not `3 s ago`: the clock of a demo is that of its recording.
export function timeOf(text) {
  if (!text) return "never";
  const [day, time] = new Date(text).toISOString().split("T");
  const today = new Date().toISOString().slice(0, 10) === day;
  return `${today ? "" : `${day} `}${time.slice(0, 8)} UTC`;
}

// A moment in UTC, as it is stored: 2026-11-22 04:00:05.
export function moment(text) {
  const parsed = new Date(text);
  if (Number.isNaN(parsed.getTime())) return String(text);
  const [day, time] = parsed.toISOString().split("T");
  const precise = time.replace("Z", "").replace(/\.000$/, "").replace(/:00$/, "");
  return `${day} ${precise}`;
}

// `period_start` as a heading: period start.
export function words(name) {
  return String(name).replaceAll("_", " ").replaceAll("-", " ");
}
