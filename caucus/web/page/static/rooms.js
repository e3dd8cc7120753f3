/** The rooms, and what is open: its purpose, and its story to take away. */

import { makeRoom } from "./acts.js";
import { addressOf, go } from "./address.js";
import { button, clean, download, el, find, renew, said, toast } from "./dom.js";
import { state, unread } from "./state.js";
import { asLines, asMarkdown, whole } from "./story.js";

const MOST = 1000;

function link(room) {
  const count = unread(room);
  const isOpen = room.channel === state.channel;
  const href = addressOf({ room: room.channel, view: "log" });
  return el("li", {},
    el("a", { href, "data-key": href, "aria-current": isOpen && "page", title: clean(room.purpose) }, said(room.channel),
      !isOpen && count > 0 && el("span", { class: "count" }, count > 999 ? "999+" : String(count), el("span", { class: "hidden" }, " unread"))));
}

/** The rooms, the newest first, with how much of each was not seen. */
export function showRooms() {
  const rooms = [...state.rooms.values()].reverse();
  renew(find("#rooms"), () => [el("h2", {}, "Rooms"), el("ul", {}, rooms.slice(0, MOST).map(link)),
    state.me && button("New room…", () => makeRoom((channel) => go({ room: channel, view: "log" })), { "data-key": "new" })]);
  const waiting = rooms.filter((room) => room.channel !== state.channel && unread(room) > 0).length;
  find('#views [data-view="rooms"]').replaceChildren("Rooms", waiting ? el("span", { class: "count" }, ` ${waiting}`) : "");
  showTitle();
}

/** What the tab says while another one is in front: how much is owed, and whether anything is new. */
export function showTitle() {
  const owed = state.inbox?.length ? `(${state.inbox.length}) ` : "";
  const isNew = [...state.rooms.values()].some((room) => unread(room) > 0);
  document.title = `${state.granted ? "★ " : ""}${owed}${isNew ? "• " : ""}${state.channel ? `${state.channel} – ` : ""}Caucus`;
}

const save = async (room, ending, type, made) => {
  try {
    download(new Blob([made(await whole(room))], { type }), `${room}.${ending}`);
  } catch (error) {
    toast(`Not exported: ${clean(error.message)}`, true);
  }
};

/** What is open. */
export function showAbout() {
  const room = state.rooms.get(state.channel);
  find("#nothing").hidden = Boolean(room);
  find("#nothing").textContent = room ? "" : state.missing ? `There is no room ${clean(state.missing)}.` : state.rooms.size ? "" : "There is no room yet.";
  if (!room) {
    renew(find("#about"), () => []);
    return;
  }
  const exported = (label, ending, type, made) =>
    button(label, () => save(room.channel, ending, type, made), { "data-key": ending, "aria-label": `Export as ${label}` });
  renew(find("#about"), () => [el("h2", {}, said(room.channel)), el("p", { class: "purpose", title: clean(room.purpose) }, said(room.purpose)),
    el("p", { class: "row export" }, el("span", { class: "quiet" }, "Export"), exported("Markdown", "md", "text/markdown", asMarkdown),
      exported("JSON Lines", "jsonl", "application/jsonl", asLines))], room.channel);
}
