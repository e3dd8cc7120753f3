/** What goes over the wire: requests with the token in a header, writes that happen once, and streams. */

import { pause } from "./dom.js";
import { heard } from "./time.js";
import { ulid } from "./ulid.js";

/** The server, or a proxy before it, said no; `code` is its word for why, and `given` what came with that. */
export class Refused extends Error {
  constructor(status, given) {
    const why = status === 401 && "Your token is not good here, or not any more: sign in again.";
    super(why || (given.issues ?? []).join(" · ") || given.message || `The server answered ${status}.`);
    Object.assign(this, { status, given, code: given.code ?? "http_error" });
  }
}

/** Nobody answered. */
class Away extends Error {
  constructor() {
    super("The server does not answer.");
  }
}

const base = new URL(".", location.href);
const ANSWER_MS = 20_000;
/** Evidence may take longer, either way. */
const FILE_MS = 120_000;
const PERSIST_MS = 30_000;
/** After which quiet a stream is lost: the server says something every 15 s. */
const QUIET_MS = 45_000;
/** Refusals of one attempt, which may be made again. */
const UNDONE = new Set(["storage_unavailable", "overloaded", "request_timeout"]);
/** Statuses of refusals that may come before it is looked at what an earlier attempt with a key came to. */
const BEFORE_THE_KEY = new Set([401, 408, 413, 421, 431, 500, 503]);
const UNKNOWN = { code: "outcome_unknown", message: "It is not known whether this was written: look before you try again." };
const MAY_COME = new Set([...UNDONE, UNKNOWN.code]);

let bearer = "";

/** Speak with this token from now on; `""` is with none. */
export const speak = (token) => {
  bearer = token;
};

/** Whether a header may hold it. */
export const isToken = (text) => /^[\x21-\x7e]+$/.test(text);

/** The path of these segments, each of which may hold anything. */
export const at = (...segments) => segments.map(encodeURIComponent).join("/");

export const query = (given) => new URLSearchParams(given.filter(([, value]) => value !== "")).toString();

async function open(method, path, { body, headers = {}, signal, token = bearer } = {}) {
  const given = { ...headers };
  if (token) given.authorization = `Bearer ${token}`;
  let response;
  try {
    const wanted = { method, headers: given, signal, cache: "no-store", redirect: "error" };
    response = await fetch(new URL(path, base), { ...wanted, body });
  } catch {
    throw new Away();
  }
  heard(response.headers.get("date"));
  if (response.ok) return response;
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // a proxy's own page
  }
  throw new Refused(response.status, error);
}

async function whole(method, path, given, read) {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await open(method, path, { signal, ...given });
  try {
    return await read(response);
  } catch {
    throw new Away(); // it broke off
  }
}

const json = (response) => response.json();

export const get = (path, given) => whole("GET", path, given, json);
export const bytes = (path) => whole("GET", path, { signal: AbortSignal.timeout(FILE_MS) }, (response) => response.blob());

/** Whether asking again later may help. */
export const passes = (error) =>
  error instanceof Away || MAY_COME.has(error.code) || (error.status >= 502 && error.code === "http_error");

/** Whether it is not too late yet, counted from now on. */
const forAWhile = () => {
  const until = performance.now() + PERSIST_MS;
  return () => performance.now() < until;
};

/** The same call again, while the server is away and it is still wanted; what it throws at last is thrown. */
export async function patiently(call, isWanted = forAWhile()) {
  for (let wait = 400; ; wait = Math.min(2 * wait, 5000)) {
    try {
      return await call();
    } catch (error) {
      if (!passes(error) || !isWanted()) throw error;
    }
    await pause(wait);
  }
}

/** Keys of what was asked a while ago and not answered: the same request again is the same write. */
const unanswered = new Map();
/** After so long it is meant anew. */
const MEANT_MS = 60_000;
const MOST_UNANSWERED = 50;

/** Ask for a write, until it is known what became of it; asking again for the same is safe. */
export async function write(path, body, { method = "POST", token = bearer } = {}) {
  const file = body instanceof Blob ? body : null;
  const sent = file ?? JSON.stringify(body);
  const same = typeof sent === "string" ? `${token} ${path} ${sent}` : file;
  const before = unanswered.get(same);
  const known = before && performance.now() < before.until ? before : { key: ulid(), inDoubt: false };
  const { key } = known;
  let { inDoubt } = known;
  unanswered.delete(same);
  unanswered.set(same, { key, inDoubt, until: Infinity });
  while (unanswered.size > MOST_UNANSWERED) unanswered.delete(unanswered.keys().next().value);
  const given = { body: sent, token, headers: { "idempotency-key": key } };
  let isUnknown = false;
  try {
    const answer = await patiently(() =>
      whole(method, path, file ? { ...given, signal: AbortSignal.timeout(FILE_MS) } : given, json).catch((error) => {
        isUnknown = error.status === 401 && token === bearer;
        const isOpen = BEFORE_THE_KEY.has(error.status) && error.code !== "http_error";
        const told = isOpen && inDoubt ? new Refused(503, UNKNOWN) : error;
        inDoubt ||= passes(error) && !UNDONE.has(error.code);
        throw told;
      }),
    );
    unanswered.delete(same);
    return answer;
  } catch (error) {
    if (passes(error)) unanswered.set(same, { key, inDoubt, until: performance.now() + MEANT_MS });
    else unanswered.delete(same);
    if (isUnknown) dispatchEvent(new CustomEvent("caucus:unknown"));
    throw error;
  }
}

/** A stream's events as they come, `{id, event, data}`; ends with the connection, or after too much quiet. */
export async function* stream(path, signal) {
  const quiet = new AbortController();
  const either = AbortSignal.any([signal, quiet.signal]);
  let timer = setTimeout(() => quiet.abort(), QUIET_MS);
  const response = await open("GET", path, { headers: { accept: "text/event-stream" }, signal: either });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let frame = {};
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), QUIET_MS);
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const colon = line.indexOf(":");
        if (line === "") {
          if (Object.keys(frame).length) yield frame;
          frame = {};
        } else if (colon > 0) {
          frame[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
        }
      }
    }
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Away();
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

/** Ask for what must not be asked twice: a token that is made and not received is lost, and can be revoked. */
export const once = (path, body, token) =>
  whole("POST", path, { body: JSON.stringify(body), token }, json);
