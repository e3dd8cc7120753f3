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
  renew(find("#rooms"), el("h2", {}, "Rooms"), el("ul", {}, rooms.slice(0, MOST).map(link)),
    state.me && button("New room…", () => makeRoom((channel) => go({ room: channel, view: "log" })), { "data-key": "new" }));
  const waiting = rooms.filter((room) => room.channel !== state.channel && unread(room) > 0).length;
  find('#views [data-view="rooms"]').replaceChildren("Rooms", waiting ? el("span", { class: "count" }, ` ${waiting}`) : "");
  document.title = `${waiting ? "• " : ""}${state.channel ? `${state.channel} – ` : ""}Caucus`;
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
  find("#nothing").textContent = room ? "" : "There is no room yet.";
  if (!room) {
    find("#about").replaceChildren();
    return;
  }
  renew(find("#about"), el("h2", {}, said(room.channel)), el("p", { class: "purpose" }, said(room.purpose)),
    el("p", { class: "row" },
      button("Markdown", () => save(room.channel, "md", "text/markdown", asMarkdown), { "data-key": "md", "aria-label": "Export as Markdown" }),
      button("JSON Lines", () => save(room.channel, "jsonl", "application/jsonl", asLines), { "data-key": "jsonl", "aria-label": "Export as JSON Lines" })));
}
