/** Times: the server's clock, durations in words, and elements that go on by themselves. */

import { el } from "./dom.js";

/** Beyond that no date is one, in milliseconds. */
const LATEST = 8.64e15;

let skew = 0;

/** The server said what time it is, in whole seconds: ours may be wrong by hours. */
export function heard(date) {
  const theirs = Date.parse(date) + 500;
  if (theirs && Math.abs(theirs - Date.now() - skew) > 1500) skew = theirs - Date.now();
}

/** Milliseconds since the epoch, by the server's clock. */
export const now = () => Date.now() + skew;

/** The instant of a stamp, in milliseconds. */
export const instant = (stamp) => Date.parse(String(stamp).split("#")[0]) || 0;

/** A duration in seconds, to the unit that matters. */
export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export const dayOf = (ms) => day.format(ms);
export const clockOf = (ms) => clock.format(ms);
export const exactOf = (ms) => (Math.abs(ms) < LATEST ? exact.format(ms) : "the end of time");

function relative(node) {
  if (node.dataset.until) {
    const rest = (Number(node.dataset.until) - performance.now()) / 1000;
    if (rest <= 0 && node.textContent.endsWith("left")) dispatchEvent(new CustomEvent("caucus:lapse"));
    node.textContent = rest > 0 ? `${span(rest)} left` : "about to lapse";
    node.classList.toggle("soon", rest < 120);
  } else {
    node.textContent = `${span((now() - Number(node.dataset.at)) / 1000)} ago`;
  }
}

/** How long ago something was; the exact time shows on hover. */
export function ago(ms) {
  const node = el("time", { datetime: new Date(ms).toISOString(), title: exactOf(ms), "data-at": ms });
  relative(node);
  return node;
}

/** For how much longer, counted down from now on. */
export function left(seconds, since = performance.now()) {
  if (seconds * 1000 > LATEST - now()) return el("span", {}, "no end");
  const node = el("time", { datetime: `PT${Math.round(seconds)}S`, "data-until": since + seconds * 1000 });
  node.title = `until ${exactOf(now() + seconds * 1000)}`;
  relative(node);
  return node;
}

/** Keep the times that are shown true; a hidden page shows none. */
export function tick() {
  if (document.visibilityState === "visible") {
    document.querySelectorAll("time[data-at], time[data-until]").forEach(relative);
  }
}
