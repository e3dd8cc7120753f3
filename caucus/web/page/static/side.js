/** What stands beside the log: the board, what is owed to whoever speaks, and who is there. */

import { accept, ack, claimTargets, decline, mayRevoke, offer, onWhat, release, revoke, standing, takeOver } from "./acts.js";
import { brief, button, clean, el, find, renew, said } from "./dom.js";
import { badge, who } from "./message.js";
import { waitedFor } from "./overlap.js";
import { isMe, isMine, on, state } from "./state.js";
import { ago, clockOf, instant, now, span } from "./time.js";

const MOST_CLAIMS = 200;
const MOST_ITEMS = 50;
const MOST_PEOPLE = 100;
/** From so many claims on, they can be searched. */
const MANY = 8;
/** The board is not asked who waits for whom beyond that. */
const MOST_LINED_UP = 1000;

let sought = "";

const act = (label, one, does) =>
  button(label, () => does(one), { "data-key": `${label} ${one.claim}`, "aria-label": `${label} ${brief(one.targets.join(", "), 60)}` });

/** Whether a claim is offered to whoever speaks. */
const isOffered = ({ offered_to: to }) =>
  Boolean(to && state.me && to.owner === state.me.owner && (!to.agent_id || to.agent_id === state.me.agent_id));

/** What whoever speaks may do with a claim. */
function doings(one) {
  const held = one.state === "held";
  const free = mayRevoke(one) && act(held ? "Free" : "Remove from the line", one, revoke);
  if (!state.me) return [free].filter(Boolean);
  const own = one.kind === "plain" ? isMine(one) : isMe(one);
  return [
    isOffered(one) && act("Accept", one, accept),
    isOffered(one) && act("Decline", one, decline),
    own && act(held ? "Release" : "Leave the line", one, release),
    own && held && one.kind === "lease" && act("Hand over", one, offer),
    !isMe(one) && isMine(one) && act("Take over", one, takeOver),
    !isMine(one) && !isOffered(one) && held && act("Wait for it", one, ({ targets }) => claimTargets({ targets, wait: true })),
    !own && free,
  ].filter(Boolean);
}

function card(one, behind) {
  const held = one.state === "held";
  const to = one.offered_to;
  return el("li", { class: `claim ${one.state}${isMe(one) ? " mine" : ""}` },
    el("p", { class: "head" }, el("span", { class: "flag" }, held ? (to ? "held, offered" : "held") : "waiting"),
      one.mode === "shared" && el("span", { class: "flag" }, "shared"), onWhat(one)),
    el("p", {}, who(one), " ", standing(one, state.board.since), behind > 0 && `, ${behind} ${behind === 1 ? "waits" : "wait"} for it`),
    one.note && el("p", { class: "note" }, said(brief(one.note, 200))),
    to && el("p", {}, "offered to ", said(to.agent_id ?? to.owner)),
    el("p", { class: "acts" }, doings(one)),
  );
}

/** Offered to whoever speaks first, then theirs, then what lapses soonest; who waits stands below what they wait for. */
function ordered(claims, lines) {
  const rank = (one) => (isOffered(one) ? 0 : isMe(one) ? 1 : isMine(one) ? 2 : 3);
  const lapses = (one) => one.expires_in ?? Infinity;
  const held = claims.filter((one) => one.state === "held");
  const sorted = [...held].sort((one, other) => rank(one) - rank(other) || (lapses(one) > lapses(other) ? 1 : lapses(one) < lapses(other) ? -1 : 0));
  return [...new Set([...sorted.flatMap((one) => [one, ...(lines.get(one.claim) ?? [])]), ...claims])];
}

/** What stands on the board is of a room, for somebody. */
const whose = () => `${state.session} ${state.channel}`;

const isSought = (one) =>
  !sought || `${one.targets.join(" ")} ${one.owner} ${one.agent_id} ${one.note}`.toLowerCase().includes(sought);

function board() {
  const { claims } = state.board;
  find("#board-count").textContent = claims?.length ? ` ${claims.length}` : "";
  renew(find("#board .what"), () => {
    find("#board .seek").hidden = (claims ?? []).length < MANY && !sought;
    if (!claims) return [el("p", { class: "quiet" }, state.channel ? "Not known yet…" : "")];
    const lines = claims.length <= MOST_LINED_UP ? waitedFor(claims) : new Map();
    const found = ordered(claims, lines).filter(isSought);
    const held = claims.filter((one) => one.state === "held").length;
    const told = claims.length ? `${held} held, ${claims.length - held} waiting` : "Nobody holds anything.";
    return [
      el("p", { class: "quiet" }, told, found.length > MOST_CLAIMS && `; the first ${MOST_CLAIMS} are shown`),
      state.me && button("Claim…", () => claimTargets(), { "data-key": "claim", class: "primary" }),
      el("ul", { class: "cards" }, found.slice(0, MOST_CLAIMS).map((one) => card(one, lines.get(one.claim)?.length ?? 0))),
    ];
  }, whose());
}

/** What a message of the inbox is about, if it is of a claim. */
function aboutOf({ about }) {
  if (!about?.change) return [];
  const { change } = about;
  return [
    el("p", {}, el("span", { class: "flag" }, clean(change.kind).replace("_", " ")), " ", about.target && el("code", {}, said(brief(about.target))),
      change.kind === "offered" && !isOpenOffer(about) && ", not any more"),
  ];
}

const isOpenOffer = (about) => about?.change?.kind === "offered" && about.claim !== null && isOffered(about.claim);

/** What is addressed to whoever speaks and is not settled, over all rooms: steers first, then the newest. */
function inbox(goTo) {
  const items = state.inbox;
  find("#inbox-count").textContent = items?.length ? ` ${items.length}` : "";
  const rank = ({ message }) => (message.type === "steer" ? 0 : 1);
  const sorted = [...(items ?? [])].sort((one, other) =>
    rank(one) - rank(other) || instant(other.message.ts) - instant(one.message.ts) || other.cursor - one.cursor);
  const lines = () => sorted.slice(0, MOST_ITEMS).map((item) => {
    const { channel, cursor, message } = item;
    const key = `${channel} ${cursor}`;
    const doing = (label, does) => button(label, does, { "data-key": `${label} ${key}`, "aria-label": `${label} ${channel} #${cursor}` });
    return el("li", { class: "owed" },
      el("p", { class: "head" }, badge(message.type), who(message), ago(instant(message.ts)), el("span", { class: "quiet" }, said(channel))),
      aboutOf(item),
      el("p", { class: "note" }, said(brief(message.body, 200))),
      el("p", { class: "acts" },
        isOpenOffer(item.about) && [act("Accept", item.about.claim, accept), act("Decline", item.about.claim, decline)],
        doing("Show", () => goTo(channel, cursor)),
        message.type !== "claim" && doing("Answer", () => goTo(channel, cursor, true)),
        doing("Acknowledge", () => ack(channel, cursor))));
  });
  const told = !state.me ? "Sign in to see what is asked of you." : !items ? "Not known yet…" : items.length ? "" : "Nothing waits for you.";
  renew(find("#inbox .what"), () => [told && el("p", { class: "quiet" }, told), el("ul", { class: "cards" }, lines()),
    sorted.length > MOST_ITEMS && el("p", { class: "quiet" }, `and ${sorted.length - MOST_ITEMS} more`)], String(state.session));
}

/** Who asked the server for something in the last day, last seen first. */
function people() {
  const line = (one) => {
    const isHere = one.seen_ago < 60;
    const doing = [one.holding && `holds ${one.holding}`, one.waiting && `waits for ${one.waiting}`].filter(Boolean).join(", ");
    const seen = now() - one.seen_ago * 1000;
    return el("li", { class: isHere ? "here" : "" }, who(one), " ", isHere ? "here" : el("span", {}, "seen ", ago(seen), `, ${clockOf(seen)}`), doing && `, ${doing}`);
  };
  const found = state.people;
  const told = !found ? "Not known yet…" : found.length ? "As the server saw them in the last day." : "Nobody was seen yet.";
  renew(find("#people .what"), () => [
    el("p", { class: "quiet" }, told, found?.length > MOST_PEOPLE && ` The last ${MOST_PEOPLE} are shown.`),
    el("ul", { class: "people" }, (found ?? []).slice(0, MOST_PEOPLE).map(line)),
    state.me && el("p", { class: "quiet" }, budget())], String(state.session));
}

/** What is left to post, before one is paced. */
function budget() {
  const all = state.me.budgets?.find((one) => one.scope === "all_channels");
  return all ? `You may post ${all.left} of ${all.limit} in ${span(all.window)}.` : "";
}

/** Build what is there once; `goTo(channel, cursor, answers)` shows a message, and begins an answer to it. */
export function buildSide(goTo) {
  const seek = el("input", { type: "search", id: "seek", placeholder: "target, name or note", autocomplete: "off" });
  seek.addEventListener("input", () => {
    sought = seek.value.trim().toLowerCase();
    board();
  });
  const section = (name, title, ...more) => find(name).append(el("h2", { tabindex: "-1" }, title), ...more, el("div", { class: "what" }));
  section("#inbox", "For you");
  section("#board", "Board", el("p", { class: "seek row", hidden: true }, el("label", { for: "seek" }, "Find"), seek));
  section("#people", "Who is there");
  on("room", () => {
    sought = seek.value = "";
  });
  on("board", board);
  on("people", people);
  on("inbox", () => inbox(goTo));
  board();
  people();
  inbox(goTo);
}
