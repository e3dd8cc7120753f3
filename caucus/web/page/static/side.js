/** What stands beside the log: the board, what is owed to whoever speaks, and who is there. */

import { accept, ack, claim, decline, mayRevoke, offer, onWhat, release, revoke, standing, takeOver } from "./acts.js";
import { brief, button, el, find, renew, said } from "./dom.js";
import { badge, who } from "./message.js";
import { isMe, isMine, on, state } from "./state.js";
import { ago, instant, now, span } from "./time.js";

const act = (label, one, does) =>
  button(label, () => does(one), { "data-key": `${label} ${one.claim}`, "aria-label": `${label} ${brief(one.targets.join(", "), 60)}` });

/** What whoever speaks may do with a claim. */
function doings(one) {
  if (!state.me) return state.admin ? [act("Free", one, revoke)] : [];
  const offered = one.offered_to;
  const isToMe = offered && offered.owner === state.me.owner && (!offered.agent_id || offered.agent_id === state.me.agent_id);
  const own = one.kind === "plain" ? isMine(one) : isMe(one);
  return [
    isToMe && act("Accept", one, accept),
    isToMe && act("Decline", one, decline),
    own && act(one.state === "held" ? "Release" : "Leave the line", one, release),
    own && one.state === "held" && one.kind === "lease" && act("Hand over", one, offer),
    !isMe(one) && isMine(one) && act("Take over", one, takeOver),
    !isMine(one) && !isToMe && one.state === "held" && act("Wait for it", one, ({ targets }) => claim({ targets, wait: true })),
    mayRevoke(one) && !own && act("Free", one, revoke),
  ].filter(Boolean);
}

function card(one) {
  const held = one.state === "held";
  const to = one.offered_to;
  return el("li", { class: `claim ${one.state}${isMe(one) ? " mine" : ""}` },
    el("p", { class: "head" }, el("span", { class: "flag" }, held ? (to ? "held, offered" : "held") : "waiting"),
      one.mode === "shared" && el("span", { class: "flag" }, "shared"), onWhat(one)),
    el("p", {}, who(one), " ", standing(one, state.board.since)),
    one.note && el("p", { class: "note" }, said(brief(one.note, 200))),
    to && el("p", {}, "offered to ", said(to.agent_id ?? to.owner)),
    el("p", { class: "acts" }, doings(one)),
  );
}

export function board() {
  const { claims } = state.board;
  const place = find("#board");
  const held = claims.filter((one) => one.state === "held").length;
  find("#board-count").textContent = claims.length ? ` ${claims.length}` : "";
  const told = claims.length ? `${held} held, ${claims.length - held} waiting` : "Nobody holds anything.";
  const most = 200;
  renew(place,
    el("h2", {}, "Board"),
    el("p", { class: "quiet" }, told, claims.length > most && `; the first ${most} are shown`),
    state.me && button("Claim…", () => claim(), { "data-key": "claim", class: "primary" }),
    el("ul", { class: "cards" }, claims.slice(0, most).map(card)),
  );
}

/** What is addressed to whoever speaks and is not settled, over all rooms. */
export function inbox(goTo) {
  const place = find("#inbox");
  const { inbox: items } = state;
  find("#inbox-count").textContent = items.length ? ` ${items.length}` : "";
  const most = 50;
  const lines = items.slice(0, most).map(({ channel, cursor, message }) => {
    const key = `${channel} ${cursor}`;
    return el("li", { class: "owed" },
      el("p", { class: "head" }, badge(message.type), who(message), ago(instant(message.ts))),
      el("p", { class: "note" }, said(brief(message.body, 200))),
      el("p", { class: "acts" },
        button("Show", () => goTo(channel, cursor), { "data-key": `show ${key}`, "aria-label": `Show ${channel} #${cursor}` }),
        button("Acknowledge", () => ack(channel, cursor), { "data-key": `ack ${key}`, "aria-label": `Acknowledge ${channel} #${cursor}` }),
        el("span", { class: "quiet" }, said(channel)),
      ));
  });
  const told = !state.me ? "Give a token to see what is asked of you." : items.length ? "" : "Nothing waits for you.";
  renew(place, el("h2", {}, "For you"), told && el("p", { class: "quiet" }, told), el("ul", { class: "cards" }, lines),
    items.length > most && el("p", { class: "quiet" }, `and ${items.length - most} more`));
}

/** Who asked the server for something in the last day, last seen first. */
export function people() {
  const most = 100;
  const lines = state.people.slice(0, most).map((one) => {
    const doing = [one.holding && `holds ${one.holding}`, one.waiting && `waits for ${one.waiting}`].filter(Boolean).join(", ");
    const seen = one.seen_ago < 60 ? "here" : el("span", {}, "seen ", ago(now() - one.seen_ago * 1000));
    return el("li", { class: one.seen_ago < 60 ? "here" : "" }, who(one), " ", seen, doing && `, ${doing}`);
  });
  renew(find("#people"), el("h2", {}, "Who is there"),
    el("p", { class: "quiet" }, lines.length ? "As the server saw them in the last day." : "Nobody was seen yet."),
    el("ul", { class: "people" }, lines),
    state.me && el("p", { class: "quiet" }, budget()));
}

/** What is left to post, before one is paced. */
function budget() {
  const all = state.me.budgets?.find((one) => one.scope === "all_channels");
  return all ? `You may post ${all.left} of ${all.limit} in ${span(all.window)}.` : "";
}

export function showSide(goTo) {
  on("board", board);
  on("people", people);
  on("inbox", () => inbox(goTo));
  board();
  people();
  inbox(goTo);
}
