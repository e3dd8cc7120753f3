/** What the server knows, brought here: a room's log, newest first, and what is kept true beside it. */

import { asked, settle } from "./address.js";
import { brief, clean, toast } from "./dom.js";
import { Log } from "./log.js";
import { forget, leave, placeIn, reach, show, showBusy, showNewer, showOlder, startLog } from "./log_view.js";
import { begin } from "./session.js";
import { inTurn, isMe, isToMe, readUpTo, state, tell } from "./state.js";
import { at, get, passes, patiently, query } from "./wire.js";

/** Messages that are asked for first, and at a time after that. */
const NEWEST = 120;
const PAGE = 500;

/** So many messages of the inbox are looked into, for what they are about. */
const MOST_ABOUT = 50;
const INBOX_PAGE = 100;
const MOST_OWED = 1000;

export const loadBoard = inTurn(300, async () => {
  const { channel } = state;
  if (!channel) return;
  const { claims } = await get(at("channels", channel, "claims"));
  if (channel !== state.channel) return;
  state.board = { claims: claims.map((one) => ({ ...one, channel })), since: performance.now() };
  for (const one of claims) if (isMe(one) && one.state === "waiting") state.awaited.add(one.claim);
  tell("board");
}, passes);

export const loadInbox = inTurn(300, async () => {
  const { session } = state;
  const items = state.me ? await mine(owed()) : null;
  await Promise.all((items ?? []).slice(-MOST_ABOUT).map(lookInto));
  if (session !== state.session) return;
  state.inbox = items;
  tell("inbox");
}, passes);

/** What is asked for with a token: if that is not good any more, somebody has to be told. */
async function mine(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error.status === 401) dispatchEvent(new CustomEvent("caucus:unknown"));
    throw error;
  }
}

/** What is owed, oldest first; of very much, the oldest. */
async function owed() {
  const found = [];
  for (let since = ""; found.length < MOST_OWED; ) {
    const page = await get(`inbox?${query([["since", since]])}`);
    found.push(...page.items);
    if (page.items.length < INBOX_PAGE) break;
    since = page.since;
  }
  return found.filter(({ message }) => !isMe(message));
}

/** Changes of claims that messages of the inbox tell of: they stay what they are. */
const changes = new Map();

/** What a message is about, if it may be of a claim: its change, the claim as it stands, and on what that is. */
async function lookInto(item) {
  const { channel, cursor, message } = item;
  if (message.type !== "claim" && message.status !== "needs-response") return;
  const name = `${channel} ${cursor}`;
  if (!changes.has(name)) {
    const { events: [event] } = await get(`feed?${query([["room", `${channel}:${cursor - 1}`], ["limit", "1"]])}`);
    changes.set(name, event?.change ?? null);
    if (changes.size > 10 * MOST_ABOUT) changes.delete(changes.keys().next().value);
  }
  const change = changes.get(name);
  if (!change) return;
  const claim = change.kind === "offered" ? await claimNow(channel, change.claim) : null;
  item.about = { change, claim, target: message.target ?? claim?.targets.join(", ") };
}

async function claimNow(channel, number) {
  try {
    return { ...(await get(at("channels", channel, "claims", String(number)))), channel };
  } catch (error) {
    if (error.code === "unknown_claim") return null; // it has ended
    throw error;
  }
}

export const loadPeople = inTurn(2000, async () => {
  const { session } = state;
  const [{ agents }, me] = await Promise.all([get(`who?${query([["channel", state.channel]])}`), state.me && mine(get("whoami"))]);
  if (session !== state.session) return;
  state.people = agents;
  if (me && state.me) state.me = me;
  tell("people");
}, passes);

/**
 * A claim lives while its agent is heard of, and a tab that is out of sight is still open: it asks now and then, and
 * its title tells what waits.
 */
export async function lookFromAfar() {
  if (!document.hidden || !state.me) return;
  const { waiting, holding } = state.me;
  const { session } = state;
  try {
    const me = await get("whoami");
    if (session !== state.session) return;
    if (me.waiting < waiting && me.holding > holding) state.granted = true;
    state.me = me;
    loadInbox();
  } catch {
    // it is asked again soon
  }
}

/** Everything anew, unless it is given up: the server's log may be another one. */
export async function load(signal) {
  const [{ channels }] = await Promise.all([get("channels"), begin()]);
  if (signal.aborted) return;
  state.rooms = new Map(channels.map((one) => [one.channel, one]));
  const { room, at: cursor } = asked();
  const isSame = state.channel && state.channel === room;
  const opened = open(room || state.channel || (channels.at(-1)?.channel ?? ""), cursor && !isSame ? { cursor } : null);
  loadInbox();
  await opened;
}

let opening = 0;

/**
 * Open a room, where one was in it or at a message: its newest messages are here then, and what is before them follows.
 *
 * @param sought `{cursor, answers}`: a message to go to, and whether to begin an answer to it.
 */
export async function open(wanted, sought = null) {
  const turn = ++opening;
  const isOpen = () => turn === opening;
  const room = state.rooms.get(wanted);
  const channel = room ? wanted : "";
  leave();
  const log = new Log(channel);
  const place = placeIn(channel);
  Object.assign(state, { channel, log, sought: sought ?? (place ? { cursor: place, isPlace: true } : null), newFrom: room ? readUpTo(room) : 0, missing: room ? "" : wanted, board: { claims: null, since: 0 } });
  for (const topic of ["rooms", "room", "board", "log"]) tell(topic);
  startLog();
  if (!room) return;
  if (asked().room !== channel) settle();
  const coming = range(channel, Math.max(0, room.head - NEWEST), room.head, isOpen);
  loadBoard();
  loadPeople();
  const newest = await coming;
  if (!isOpen()) return;
  log.begin(newest);
  show();
  tell("log");
  fetchOlder(log, isOpen);
}

/** The messages after a cursor, up to another or more: the server may give fewer at a time than it is asked for. */
async function range(room, cursor, end, isWanted) {
  const found = [];
  let limit = PAGE;
  const more = (since) => {
    const given = [["room", since ? room : `${room}:${cursor}`], ["since", since], ["limit", String(limit)]];
    limit = Math.max(10, Math.floor(limit / 2)); // for the next try, if this one is too much for the line
    return get(`feed?${query(given)}`);
  };
  for (let since = ""; cursor + found.length < end; ) {
    const from = since;
    const answer = await patiently(() => more(from), isWanted);
    limit = Math.min(PAGE, 4 * limit);
    if (!answer.events.length) break;
    found.push(...answer.events.filter((event) => event.message));
    since = answer.since;
  }
  return found;
}

async function fetchOlder(log, isOpen) {
  reach(false);
  showBusy(true);
  try {
    while (log.first > 1 && !log.isFull) {
      const { first } = log;
      const older = (await range(log.channel, Math.max(0, first - 1 - PAGE), first - 1, isOpen)).filter((event) => event.cursor < first);
      if (!isOpen()) return;
      log.prepend(older);
      if (log.first === first) break;
      showOlder(older);
      tell("log");
      reach(false);
    }
    log.isWhole = !log.isFull;
  } catch (error) {
    if (isOpen()) toast(`What is older in ${log.channel} could not be read: ${clean(error.message)}`, true);
  } finally {
    if (isOpen()) {
      log.isDone = true;
      reach(true);
      showBusy(false);
      tell("log");
    }
  }
}

/** A room that is new to us: its message came before it did. */
async function learn(channel) {
  try {
    state.rooms.set(channel, await get(at("channels", channel)));
    tell("rooms");
  } catch {
    // it is told of with the next message
  }
}

/** Something happened, in whichever room. */
export function take(event) {
  if (event.created) {
    state.rooms.set(event.channel, event.created);
    tell("rooms");
    if (!state.channel && (!state.missing || state.missing === event.channel)) open(event.channel).catch(() => {});
  } else if (event.board) {
    if (event.channel === state.channel) loadBoard();
  } else {
    takeMessage(event);
  }
}

function takeMessage(event) {
  const { channel, cursor, message, change } = event;
  const room = state.rooms.get(channel);
  if (!room) learn(channel);
  else if (cursor > room.head) {
    state.rooms.set(channel, { ...room, head: cursor });
    tell("rooms");
  }
  if (isToMe(message) || isMe(message)) loadInbox();
  if (isToMe(message) && !isMe(message)) toast(`${channel}: ${brief(message.owner, 40)} to you, ${message.type}: ${brief(message.body)}`);
  if (change?.kind === "granted" && isMe(message) && state.awaited.delete(change.claim)) {
    toast(`${message.target} is yours, in ${channel}.`, false, true);
  }
  if (channel !== state.channel) return;
  if (!state.log.isBegun) {
    state.log.early.push(event);
    return;
  }
  const { first, last } = state.log;
  if (!state.log.append([event])) {
    open(channel).catch(() => {});
    return;
  }
  if (state.log.last === last) return;
  if (state.log.first !== first) forget(state.log.first);
  showNewer(event);
  tell("log");
  if (message.type === "claim" || change) loadBoard();
}
