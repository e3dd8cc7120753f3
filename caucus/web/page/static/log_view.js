/** The log of the room, as it is shown, searched, and walked through by keys. */

import { ack } from "./acts.js";
import { button, el, find, toast } from "./dom.js";
import { row, SHAPES } from "./message.js";
import { isMe, markRead, on, state } from "./state.js";
import { Windowed } from "./windowed.js";
import { answer, startWriting } from "./writing.js";

let rows;
let parts;
let missed = 0;
let owed = new Set();
let wanted = { type: "", owner: "", text: "", target: "", thread: "" };

const matches = ({ message, text }) =>
  (!wanted.type || message.type === wanted.type) &&
  (!wanted.owner || `${message.owner} ${message.agent_id}`.toLowerCase().includes(wanted.owner)) &&
  (!wanted.target || (message.target ?? "").toLowerCase().includes(wanted.target)) &&
  (!wanted.thread || message.thread === wanted.thread || message.msg_id === wanted.thread) &&
  (!wanted.text || text.includes(wanted.text));

const isFiltered = () => Object.values(wanted).some(Boolean);

/** Build what is there once. */
export function buildLog() {
  const field = (name, label, control) => {
    control.addEventListener("input", () => filter(name, control.value));
    control.id = `by-${name}`;
    return el("div", { class: `by by-${name}` }, el("label", { for: control.id }, label), control);
  };
  const input = (given = {}) => el("input", { type: "search", autocomplete: "off", spellcheck: "false", ...given });
  const types = el("select", {}, el("option", { value: "" }, "All"), [...SHAPES.keys()].map((one) => el("option", {}, one)));
  const search = el("form", { class: "search", role: "search", "aria-label": "Search this room", on: { submit: (event) => event.preventDefault() } },
    field("text", "Search", input({ placeholder: "what was said" })), field("type", "Type", types), field("owner", "Who", input()), field("target", "Target", input()),
    button("Clear", clear, { class: "clear" }));
  const found = el("p", { class: "found", role: "status" });
  const list = el("div", { class: "rows", role: "feed", "aria-label": "Messages", "aria-busy": "false" });
  const scroller = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Messages, newest last" }, list);
  const newer = button("", () => rows.toEnd(), { class: "newer", hidden: true });
  const older = button("", () => goTo(state.newFrom + 1), { class: "older", hidden: true });
  parts = { search, found, list, scroller, newer, older };
  find("#log").append(search, found, scroller, older, newer);
  rows = new Windowed(scroller, list, (event, before) => row(event, isFiltered() ? undefined : before, state.log, acts));
  older.addEventListener("click", () => (older.hidden = true));
  scroller.addEventListener("scroll", seen, { passive: true });
  scroller.addEventListener("keydown", walk);
  on("inbox", () => renewOwed());
}

const acts = {
  goTo,
  answer,
  ack: (event) => ack(state.channel, event.cursor),
  thread: (id) => filter("thread", id),
};

function renewOwed() {
  const now = new Set(state.inbox.filter((item) => item.channel === state.channel).map((item) => item.cursor));
  const changed = [...now].filter((one) => !owed.has(one)).concat([...owed].filter((one) => !now.has(one)));
  owed = now;
  changed.forEach((one) => rows.refresh(one));
}

/** Show a room's log from its end. */
export function showLog() {
  rows.isAtEnd = true;
  missed = 0;
  const count = state.newFrom ? (state.rooms.get(state.channel)?.head ?? 0) - state.newFrom : 0;
  parts.older.hidden = count === 0;
  parts.older.textContent = `↑ ${count} new since you looked`;
  clear();
  startWriting();
}

/** Older messages came. */
export function showOlder(events) {
  const shown = events.filter(matches);
  if (shown.length) rows.prepend(shown);
  tellFound();
}

/** A message more. */
export function showNewer(event) {
  if (isMe(event.message)) rows.isAtEnd = true;
  if (matches(event)) rows.append(event);
  const before = state.log.repliedTo(event.message);
  if (before) rows.refresh(before.cursor);
  if (!rows.isAtEnd) missed += 1;
  tellFound();
  seen();
}

/** What is before a cursor is not kept any more. */
export const forget = (first) => rows.drop(first);

/** Whether older messages are on their way. */
export const showBusy = (busy) => parts.list.setAttribute("aria-busy", String(busy));

/** What is at the end and in sight was read. */
export function seen() {
  const room = state.rooms.get(state.channel);
  const isSeen = rows.isAtEnd && parts.scroller.offsetParent !== null && document.visibilityState === "visible";
  if (room && isSeen) {
    missed = 0;
    markRead(room);
  }
  parts.newer.hidden = rows.isAtEnd;
  parts.newer.textContent = missed ? `${missed} new ↓` : "To the newest ↓";
}

function filter(name, value) {
  wanted = { ...wanted, [name]: name === "thread" || name === "type" ? value : value.trim().toLowerCase() };
  rows.set(state.log.events.filter(matches));
  tellFound();
}

function clear() {
  parts.search.reset();
  wanted = { type: "", owner: "", text: "", target: "", thread: "" };
  rows.set(state.log?.events ?? []);
  tellFound();
}

function tellFound() {
  const { log } = state;
  parts.search.classList.toggle("filtered", isFiltered());
  if (!log || (!isFiltered() && log.events.length)) {
    parts.found.textContent = "";
    return;
  }
  const count = log.events.filter(matches).length;
  const within = log.isFull ? `the newest ${log.events.length}` : log.isWhole ? log.events.length : `${log.events.length} so far`;
  parts.found.textContent = isFiltered() ? `${count} of ${within} messages${wanted.thread ? ", in one thread" : ""}` : "Nothing was said yet.";
}

/** Go to a message: in sight, and with the focus. */
export function goTo(cursor) {
  let node = rows.row(cursor);
  if (!node && isFiltered()) {
    clear();
    node = rows.row(cursor);
  }
  if (!node) {
    toast(`Message #${cursor} is not here.`);
    return;
  }
  rows.isAtEnd = false;
  node.scrollIntoView({ block: "center" });
  node.focus({ preventScroll: true });
}

const STEPS = new Map(Object.entries({ j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }));

/** Keys, where the focus is in the messages: to the next, the one before, the ends, and to answer. */
function walk(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("pre, button, a, summary, input")) return;
  const current = Number(document.activeElement.closest("[data-cursor]")?.dataset.cursor ?? 0);
  if (STEPS.has(event.key)) step(rows.beside(current, STEPS.get(event.key)));
  else if (event.key === "Home") step(rows.beside(0, 1));
  else if (event.key === "End") step(rows.beside(0, -1));
  else if (event.key === "a" && current && state.me) answer(state.log.at(current));
  else return;
  event.preventDefault();
}

function step(cursor) {
  const node = cursor === undefined ? null : rows.row(cursor);
  if (!node) return;
  rows.isAtEnd = false;
  node.focus({ preventScroll: true });
  node.scrollIntoView({ block: "nearest" });
}
