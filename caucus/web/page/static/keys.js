/** Keys that do what buttons do, for whoever wants them. */

import { claimTargets } from "./acts.js";
import { go } from "./address.js";
import { button, el, find } from "./dom.js";
import { show } from "./forms.js";
import { toMessages } from "./log_view.js";
import { state } from "./state.js";
import { compose } from "./writing.js";

const KEYS = [["/", "search"], ["n", "post"], ["s", "steer"], ["c", "claim"], ["l", "log"], ["t", "timeline"], ["b", "board"], ["i", "for you"],
  ["p", "who is there"], ["?", "this"]];
const IN_MESSAGES = [["j, ↓", "the next message"], ["k, ↑", "the one before"], ["Home, End", "the first, the last"], ["a", "answer it"], ["Escape", "out of a field, to the messages"]];
const SINGLE = "caucus.keys";

function kept() {
  try {
    return localStorage.getItem(SINGLE);
  } catch {
    return null;
  }
}

const useKeys = () => kept() !== "off";

/** What keys there are, and whether single ones do something. */
export function help() {
  const lines = (keys) => el("dl", {}, keys.map(([one, does]) => [el("dt", {}, el("kbd", {}, one)), el("dd", {}, does)]).flat());
  const choice = el("input", { type: "checkbox", id: "keys", checked: useKeys() });
  choice.addEventListener("change", () => {
    try {
      localStorage.setItem(SINGLE, choice.checked ? "on" : "off");
    } catch {
      choice.checked = true; // nothing is kept here
    }
  });
  const dialog = el("dialog", { "aria-labelledby": "help-title" });
  dialog.append(el("h2", { id: "help-title" }, "Keys"), lines(KEYS), el("h3", {}, "In the messages"), lines(IN_MESSAGES),
    el("p", { class: "yes" }, choice, el("label", { for: "keys" }, "Single keys do this")),
    el("p", { class: "quiet" }, "Ctrl+Enter sends any form, Escape closes it. A claim that you take here is yours for as long as this page is open, and its minutes longer."),
    button("Close", () => dialog.close()));
  show(dialog);
}

/** A key was pressed, wherever. */
export function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
  if (event.target.closest("input, textarea, select")) {
    if (event.key === "Escape" && event.target.closest("#log")) toMessages();
    return;
  }
  if (!useKeys()) return;
  const does = new Map(Object.entries({
    "/": () => { go({ view: "log" }); setTimeout(() => find("#log input").focus()); },
    n: () => { go({ view: "log" }); setTimeout(compose); },
    s: () => { go({ view: "log" }); setTimeout(() => compose("steer")); },
    c: () => state.me && claimTargets(),
    l: () => go({ view: "log" }), t: () => go({ view: "timeline" }), b: () => go({ view: "board" }), i: () => go({ view: "inbox" }),
    p: () => go({ view: "people" }),
    "?": help,
  })).get(event.key);
  if (!does) return;
  event.preventDefault();
  does();
}

