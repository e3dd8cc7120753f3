/** The log of the room, as it is shown, and walked through by keys. */

import { ack } from "./acts.js";
import { button, el, find, toast } from "./dom.js";
import { row } from "./message.js";
import { buildSearch, clearSearch, isFiltered, matches, wantThread } from "./search.js";
import { calmly, markRead, on, state } from "./state.js";
import { Windowed } from "./windowed.js";
import { answer, startWriting, wasSent } from "./writing.js";

let rows;
let parts;
let missed = 0;
let outside = 0;
let owed = new Set();
/** Where somebody was in rooms that they left. */
const places = new Map();
const MOST_PLACES = 200;

const acts = {
  goTo,
  answer,
  ack: (event) => ack(state.channel, event.cursor),
  thread: wantThread,
};

/** Build what is there once. */
export function buildLog() {
  const search = buildSearch(show, () => step(rows.beside(0, 1)));
  const found = el("p", { class: "found", role: "status" });
  const list = el("div", { class: "rows", role: "feed", "aria-label": "Messages", "aria-busy": "false" });
  const scroller = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Messages, newest last" }, list);
  const newer = button("", () => rows.toEnd(), { class: "newer", hidden: true });
  const older = button("", () => goTo(state.newFrom + 1), { class: "older", hidden: true });
  parts = { found, list, scroller, newer, older };
  find("#log").append(search, found, el("div", { class: "reading" }, scroller, older, newer));
  rows = new Windowed(scroller, list, (event, before) => row(event, isFiltered() ? undefined : before, state.log, acts));
  older.addEventListener("click", () => (older.hidden = true));
  scroller.addEventListener("scroll", calmly(100, seen), { passive: true });
  scroller.addEventListener("keydown", walk);
  on("inbox", renewOwed);
  on("view", () => state.view === "log" && rows.shown());
}

function renewOwed() {
  const items = state.inbox ?? [];
  const now = new Set(items.filter((item) => item.channel === state.channel).map((item) => item.cursor));
  const changed = [...now].filter((one) => !owed.has(one)).concat([...owed].filter((one) => !now.has(one)));
  owed = now;
  changed.forEach((one) => rows.refresh(one));
}

/** Remember where somebody is in the room that they leave. */
export function leave() {
  const cursor = state.log?.last && !rows.isAtEnd && !isFiltered() ? rows.firstSeen() : 0;
  places.delete(state.channel);
  if (cursor) places.set(state.channel, cursor);
  if (places.size > MOST_PLACES) places.delete(places.keys().next().value);
}

/** Where somebody was in a room, or 0 for its end; it is used once. */
export function placeIn(channel) {
  const cursor = places.get(channel) ?? 0;
  places.delete(channel);
  return cursor;
}

/** Another room is open, of which nothing is here yet. */
export function startLog() {
  missed = 0;
  const count = state.newFrom ? (state.rooms.get(state.channel)?.head ?? 0) - state.newFrom : 0;
  parts.older.hidden = count <= 0;
  parts.older.textContent = `↑ ${count} new since you looked`;
  clearSearch({ quietly: true });
  rows.isAtEnd = true;
  parts.list.setAttribute("aria-busy", "false");
  show();
  startWriting();
}

/** Show what is here, as it is wanted; the message that has the focus, or was at the top, is shown again. */
export function show() {
  const focused = document.activeElement?.closest?.("#log [data-cursor]");
  const kept = focused ? Number(focused.dataset.cursor) : rows.isAtEnd ? 0 : rows.firstSeen();
  outside = 0;
  rows.set(state.log ? (isFiltered() ? state.log.events.filter(matches) : state.log.events) : []);
  if (kept) rows.reveal(kept, "start");
  if (focused) rows.row(kept)?.focus({ preventScroll: true });
  tellFound();
  seen();
}

/** Older messages came. */
export function showOlder(events) {
  const shown = isFiltered() ? events.filter(matches) : events;
  if (shown.length) rows.prepend(shown);
  const here = new Set(events.map((event) => event.message.msg_id));
  rows.refreshIf(({ message }) => here.has(message.reply_to));
  tellFound();
}

/** A message more. */
export function showNewer(event) {
  if (matches(event)) {
    if (wasSent(event.message.msg_id)) rows.isAtEnd = true;
    rows.append(event);
  } else {
    outside += 1;
  }
  const before = state.log.repliedTo(event.message);
  if (before) rows.refresh(before.cursor);
  if (!rows.isAtEnd) missed += 1;
  tellFound();
  seen();
}

/** What is before a cursor is not kept any more. */
export const forget = (first) => rows.drop(first);

/** Whether older messages are on their way. */
export function showBusy(busy) {
  parts.list.setAttribute("aria-busy", String(busy));
  if (!busy) rows.refreshIf(({ message }) => message.reply_to && !state.log.repliedTo(message));
  tellFound();
}

/** What is at the end and in sight was read. */
export function seen() {
  const room = state.rooms.get(state.channel);
  const isSeen = rows.isAtEnd && state.log?.last && !isFiltered() && rows.isInSight && document.visibilityState === "visible";
  if (room && isSeen) {
    missed = 0;
    markRead(room, state.log.last);
  }
  if (!parts.older.hidden && rows.isSeen(state.newFrom + 1)) parts.older.hidden = true;
  parts.newer.hidden = rows.isAtEnd;
  parts.newer.textContent = missed ? `${missed} new ↓` : "To the newest ↓";
}

function tellFound() {
  const { log } = state;
  if (!log || !isFiltered()) {
    parts.found.textContent = !log || log.events.length || !log.isWhole ? "" : "Nothing was said yet.";
    return;
  }
  const within = log.isFull ? `the newest ${log.events.length}` : log.isWhole ? log.events.length : `${log.events.length} so far`;
  const more = outside ? `; ${outside} new that are not` : "";
  parts.found.textContent = `${rows.count} of ${within} messages${state.thread ? ", in one thread" : ""}${more}`;
}

/** Go to a message, among all the others: in sight, and with the focus. */
export function goToPlainly(cursor) {
  if (isFiltered()) clearSearch();
  goTo(cursor);
}

/** Go to a message, among what is wanted if it is: in sight, and with the focus. */
export function goTo(cursor, answers = false) {
  if (!rows.row(cursor) && isFiltered()) clearSearch();
  const node = rows.reveal(cursor, "center");
  state.sought = null;
  if (node) {
    if (!document.activeElement.matches("input, textarea, select")) node.focus({ preventScroll: true });
    if (answers) answer(state.log.at(cursor));
  } else if (state.log.isDone) {
    toast(`Message #${cursor} is not here.`);
  } else {
    state.sought = { cursor, answers };
  }
}

/** More of the room is here: go to what is sought, or where somebody was, if that is among it or nothing more comes. */
export function reach(isDone) {
  const { sought, log } = state;
  if (!sought || (sought.cursor < log.first && !isDone)) return;
  state.sought = null;
  if (sought.isPlace) rows.reveal(sought.cursor, "start");
  else goTo(sought.cursor, sought.answers);
}

const STEPS = new Map(Object.entries({ j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }));

/** Keys, where the focus is in the messages: to the next, the one before, the ends, and to answer. */
function walk(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("pre, button, a, summary, input")) return;
  const current = Number(document.activeElement.closest("[data-cursor]")?.dataset.cursor ?? 0);
  if (STEPS.has(event.key)) step(current ? rows.beside(current, STEPS.get(event.key)) : rows.firstSeen() || rows.beside(0, 1));
  else if (event.key === "Home") step(rows.beside(0, 1));
  else if (event.key === "End") step(rows.beside(0, -1));
  else if (event.key === "a" && current && state.me) answer(state.log.at(current));
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function step(cursor) {
  if (cursor !== undefined) rows.reveal(cursor, "nearest")?.focus({ preventScroll: true });
}

/** Out of a field, to the messages. */
export const toMessages = () => parts.scroller.focus();
