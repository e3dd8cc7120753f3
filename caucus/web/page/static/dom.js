/** Elements, made of text: nothing on this page reads HTML, whoever wrote it. */

const SVG = "http://www.w3.org/2000/svg";

function filled(node, given, inside) {
  for (const [name, value] of Object.entries(given)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...inside.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

/** An element with attributes, listeners under `on`, and what is in it: nodes and text. */
export const el = (tag, given = {}, ...inside) => filled(document.createElement(tag), given, inside);

export const svg = (tag, given = {}, ...inside) =>
  filled(document.createElementNS(SVG, tag), given, inside);

export const button = (label, click, given = {}) =>
  el("button", { type: "button", ...given, on: { click } }, label);

export const find = (selector, within = document) => within.querySelector(selector);

/** Code points that are not seen: as the terminal's commands, the page leaves them out. */
const UNSEEN = new RegExp(
  "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f" +
    "\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb" +
    "\\u{13430}-\\u{1345f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]",
  "gu",
);
const LINE_ENDS = /\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]/g;

/** What somebody wrote, without what is not seen. */
export const clean = (text) => String(text ?? "").replace(LINE_ENDS, "\n").replace(UNSEEN, "");

/** Somebody's words within a line of ours, which they can neither turn around nor break. */
export const said = (text, given = {}) => el("bdi", given, clean(text).replace(/\s+/g, " "));

/** The same, cut to a length that a line has room for. */
export function brief(text, most = 80) {
  const flat = clean(text).replace(/\s+/g, " ").trim();
  const points = [...flat.slice(0, 2 * most + 2)];
  return points.length > most ? points.slice(0, most - 1).join("") + "…" : flat;
}

/** A text without the line feeds at its ends: a regular expression would take its time over those within. */
export function trimLines(text) {
  let start = 0;
  let end = text.length;
  while (text[start] === "\n") start++;
  while (end > start && text[end - 1] === "\n") end--;
  return text.slice(start, end);
}

/** A body: code between fences, or between back-ticks, stands apart, and all of it is text. */
export function body(text) {
  const parts = clean(text).split(/^```[^\n`]*\n([\s\S]*?)(?:\n```[ \t]*$|$(?![\s\S]))/m);
  return parts.map((part, at) =>
    at % 2 === 1
      ? el("pre", { tabindex: "0", "aria-label": "Code", dir: "ltr" }, el("code", {}, part))
      : part.trim() &&
        el("p", { dir: "auto" }, trimLines(part).split(/`([^`\n]+)`/).map((one, odd) =>
          odd % 2 === 1 ? el("code", {}, one) : one)),
  );
}

const later = new WeakMap();
const madeFor = new WeakMap();
/** For so long at most a place waits for somebody who has marked some of it. */
const MARKED_MS = 5000;

/** Whether somebody is about to click in a place, or has marked some of it, lately. */
const isHeld = (place, since) => place.matches(":active") ||
  (performance.now() - since < MARKED_MS && !getSelection().isCollapsed && place.contains(getSelection().anchorNode));

/**
 * Put what `make` makes in a place, once nobody holds it, or at once if it is for something else than what stands
 * there. What had the focus has it again, if there is still something with its `data-key`; else what stands where it
 * stood, or the heading.
 */
export function renew(place, make, whose = "", since = performance.now()) {
  clearTimeout(later.get(place));
  if (madeFor.get(place) === whose && isHeld(place, since)) {
    later.set(place, setTimeout(() => renew(place, make, whose, since), 150));
    return;
  }
  madeFor.set(place, whose);
  const keyed = () => [...place.querySelectorAll("[data-key]")];
  const before = keyed();
  const at = before.indexOf(document.activeElement);
  const scrolled = place.scrollTop;
  place.replaceChildren(...make().flat().filter(Boolean));
  place.scrollTop = scrolled;
  if (at < 0) return;
  const now = keyed();
  const next = now.find((one) => one.dataset.key === before[at].dataset.key) ?? now[Math.min(at, now.length - 1)];
  (next ?? place.parentElement.querySelector("h2[tabindex]"))?.focus({ preventScroll: true });
}

/** Have the browser keep bytes as a file, which it shows to nobody. */
export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

const MOST_TOASTS = 5;
let toasts = 0;

/** Say something, for a while; what went wrong, or matters, stays until it is closed. */
export function toast(text, trouble = false, stays = trouble) {
  const place = find("#toasts");
  const note = el("div", { class: trouble ? "toast trouble" : "toast", id: `toast-${++toasts}` }, said(text));
  note.append(button("×", () => note.remove(), { "aria-label": "Close" }));
  place.append(note);
  note.classList.toggle("stays", stays);
  while (place.children.length > MOST_TOASTS) (find(".toast:not(.stays)", place) ?? place.firstChild).remove();
  if (!stays) setTimeout(() => note.remove(), 8000);
}

/** Give the browser's thread to whatever waits for it. */
export const pause = (ms = 0) => new Promise((done) => setTimeout(done, ms));
