/** One message, as a row of the log. */

import { addressOf } from "./address.js";
import { body, brief, button, clean, download, el, said, toast, trimLines } from "./dom.js";
import { state, isMe, isToMe } from "./state.js";
import { ago, clockOf, dayOf, instant } from "./time.js";
import { at, bytes, get } from "./wire.js";

/** A shape for each type, beside its word and its colour. */
export const SHAPES = new Map(
  Object.entries({ finding: "◆", claim: "■", status: "●", question: "?", answer: "↳", note: "○", steer: "▲" }),
);
const GROUPED_MS = 300_000;
/** From so many characters, or lines, on a body is shown in part. */
const LONG = 1500;
const LONG_LINES = 25;
/** So many characters of a long one are more than its sixteen lines have, on the widest screen. */
const BEGINNING = 4000;
const EVIDENCE = /^caucus:\/\/artifact\/([a-z0-9][a-z0-9-]{0,63})\/([0-9a-f]{64})$/;

/** Somebody's name: the human first, then the session. */
export const who = ({ owner, agent_id }) =>
  el("span", { class: "who" }, said(owner, { class: "owner" }), "/", said(agent_id));

export const badge = (type) =>
  el("span", { class: `type t-${SHAPES.has(type) ? type : "note"}` },
    el("span", { "aria-hidden": "true" }, SHAPES.get(type) ?? "○"), " ", clean(type));

/** Where evidence lies, as a link that downloads it; what else stands there is text. */
function evidence(artifact) {
  const found = EVIDENCE.exec(artifact);
  if (!found) return el("p", { class: "evidence" }, "with ", el("code", {}, clean(artifact)));
  const [, channel, sha256] = found;
  const fetchIt = async (event) => {
    event.preventDefault();
    try {
      download(await bytes(at("channels", channel, "artifacts", sha256)), `${channel}-${sha256.slice(0, 12)}.bin`);
    } catch (error) {
      toast(`No evidence: ${error.message}`, true);
    }
  };
  const link = el("a", { href: "#", on: { click: fetchIt }, title: sha256 }, `Download evidence ${sha256.slice(0, 12)}`);
  return el("p", { class: "evidence" }, link);
}

/** What became of an addressed message, for each name; asked for when it is opened. */
function receipts(channel, cursor) {
  const place = el("ul", {});
  const load = async ({ target }) => {
    if (!target.open) return;
    try {
      const told = await get(at("channels", channel, "messages", String(cursor)));
      place.replaceChildren(...told.receipts.map(({ name, state: became }) =>
        el("li", {}, said(name), `: ${told.unreachable.includes(name) ? "nobody here has that name" : became}`)));
    } catch (error) {
      place.replaceChildren(el("li", {}, error.message));
    }
  };
  return el("details", { class: "receipts", on: { toggle: load } }, el("summary", {}, "Was it read?"), place);
}

/** A body; of one that is long, the beginning, and a button that shows the rest. */
function bodyOf(text) {
  const whole = trimLines(clean(text));
  const lines = whole.split("\n", LONG_LINES);
  if (whole.length < LONG && lines.length < LONG_LINES) return el("div", { class: "body" }, body(whole));
  // What is not seen is not there: a browser lays out thousands of hidden lines as slowly as seen ones.
  const beginning = lines.join("\n").slice(0, BEGINNING);
  const node = el("div", {});
  const show = (isWhole) => {
    node.className = isWhole ? "body" : "body long";
    node.replaceChildren(...body(isWhole ? whole : beginning));
  };
  show(false);
  const more = button("Show all", () => {
    const isWhole = node.classList.contains("long");
    show(isWhole);
    more.replaceChildren(isWhole ? "Show less" : "Show all");
  }, { class: "link" });
  return [node, more];
}

/**
 * @param log the `Log` that it is of.
 * @param acts `goTo(cursor)`, `answer(event)`, `ack(event)` and `thread(id)`.
 */
export function row(event, before, log, acts) {
  const { message, cursor, change } = event;
  const when = instant(message.ts);
  const earlier = before && instant(before.message.ts);
  const isNewDay = !before || dayOf(earlier) !== dayOf(when);
  const isGrouped = !isNewDay && before.cursor === cursor - 1 && when - earlier < GROUPED_MS &&
    before.message.owner === message.owner && before.message.agent_id === message.agent_id;
  const repliedTo = log.repliedTo(message);
  const answers = log.answersTo(message);
  const owed = (state.inbox ?? []).some((item) => item.channel === log.channel && item.cursor === cursor);
  const kind = change && clean(change.kind).replace("_", " ");
  const head = el("p", { class: "head" },
    badge(message.type), !isGrouped && who(message),
    kind && el("span", { class: "flag" }, kind),
    message.to && el("span", { class: "to" }, "to ", message.to.map((one, nth) => [nth ? ", " : "", said(one)]).flat()),
    message.target && el("span", { class: "target" }, "on ", el("code", {}, said(message.target))),
    message.status && message.type !== "claim" && el("span", { class: "flag" }, clean(message.status)),
    el("span", { class: "when" }, clockOf(when), " · ", ago(when), " ",
      el("a", { class: "cursor", href: addressOf({ room: log.channel, view: "log", at: String(cursor) }), "aria-label": `Number ${cursor}` }, `#${cursor}`), " ",
      state.me && message.type !== "claim" && button("Answer", () => acts.answer(event), { class: "link", "aria-label": `Answer #${cursor}` }),
      owed && button("Acknowledge", () => acts.ack(event), { class: "link", "aria-label": `Acknowledge #${cursor}` })),
  );
  const links = [
    message.reply_to && (repliedTo
      ? button(["↑ to ", said(repliedTo.message.owner), ": ", brief(repliedTo.message.body)], () => acts.goTo(repliedTo.cursor), { class: "link" })
      : el("p", { class: "quiet" }, log.isDone ? "to a message that is not here" : "to an earlier message…")),
  ];
  const doing = el("p", { class: "acts" },
    answers.map((one, nth) => button(`↓ answer ${nth + 1}`, () => acts.goTo(one), { class: "link" })),
    message.thread && button(`thread ${message.thread.slice(-6)}`, () => acts.thread(message.thread), { class: "link", title: "Show only this thread" }),
  );
  const label = `${message.type} by ${clean(message.owner)}, number ${cursor}`;
  const classes = ["msg", isGrouped && "grouped", isToMe(message) && "mine", isMe(message) && "own"].filter(Boolean);
  return el("article",
    { class: classes.join(" "), tabindex: "-1", "data-cursor": cursor, "aria-label": label, "aria-posinset": cursor, "aria-setsize": "-1" },
    isNewDay && el("p", { class: "day" }, dayOf(when)),
    state.newFrom > 0 && cursor === state.newFrom + 1 && el("p", { class: "day new" }, "New since you looked"),
    head, links, bodyOf(message.body),
    message.artifact && evidence(message.artifact),
    message.to && receipts(log.channel, cursor),
    doing.childNodes.length ? doing : null,
  );
}
