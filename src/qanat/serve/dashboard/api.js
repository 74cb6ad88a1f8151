// Asking the API: with the token when one was given, which is asked for when the API wants it.

const KEPT = "qanat.token";
const DIGITS = /^-?\d+$/;
let asking = null;

export class Refused extends Error {
  constructor(status, detail, hint) {
    super(hint ? `${detail} – ${hint}` : detail);
    this.status = status;
  }
}

// Ask for JSON. Raises Refused with what the API says is wrong, or a TypeError where it can't be reached.
export async function ask(path, options = {}) {
  return exact(await (await respond(path, options)).text());
}

// Read JSON. A whole number that a browser's number can't hold becomes a BigInt, so that no digit is lost.
export function exact(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && DIGITS.test(context?.source ?? "") ? BigInt(context.source) : value,
  );
}

// Ask, and ask for the token where that is missing; the answer is good.
export async function respond(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(KEPT);
    const headers = { Accept: "application/json", ...options.headers };
    if (token) headers.Authorization = `Bearer ${token}`;
    // Never out of a cache: what is shown says how old it is.
    const answer = await fetch(path, { cache: "no-store", ...options, headers });
    if (answer.ok) return answer;
    if (answer.status !== 401) throw await refusal(answer);
    // Another request may have brought a newer one since this was sent.
    if (sessionStorage.getItem(KEPT) === token) {
      sessionStorage.removeItem(KEPT);
      await tokenGiven(Boolean(token));
    }
  }
}

export function keepToken(token) {
  sessionStorage.setItem(KEPT, token);
}

// Who asks people for the token: gets whether one was refused, returns a promise that is kept once one is there.
let askPeople = () => Promise.reject(new Refused(401, "the token is missing", ""));
export function tokenAskedBy(asker) {
  askPeople = asker;
}

// An address with parameters; those without a value are left out.
export function address(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

// Hand a file to the browser to keep.
export function save(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function tokenGiven(wasWrong) {
  asking ??= askPeople(wasWrong).finally(() => {
    asking = null;
  });
  return asking;
}

async function refusal(answer) {
  let said = {};
  try {
    said = await answer.json();
  } catch {
    // Not ours, such as a proxy's page: the status has to do.
  }
  const detail = Array.isArray(said.detail)
    ? said.detail.map((each) => `${each.loc.slice(1).join(".")}: ${each.msg}`).join("; ")
    : said.detail;
  return new Refused(answer.status, detail || `the server answered ${answer.status}`, said.hint);
}
