/** What the server knows, brought here: a room's log, newest first, and what is kept true beside it. */

import { asked, settle } from "./address.js";
import { brief, clean, toast } from "./dom.js";
import { Log } from "./log.js";
import { forget, goTo, showBusy, showLog, showNewer, showOlder } from "./log_view.js";
import { begin } from "./session.js";
import { inTurn, isMe, isToMe, readUpTo, state, tell } from "./state.js";
import { at, get, patiently, query } from "./wire.js";

/** Messages that are asked for first, and at a time after that. */
const NEWEST = 120;
const PAGE = 500;

const quietly = (call) => async () => {
  try {
    await call();
  } catch {
    // the connection says already that the server is away
  }
};

export const loadBoard = inTurn(300, quietly(async () => {
  const { channel } = state;
  if (!channel) return;
  const { claims } = await get(at("channels", channel, "claims"));
  if (channel !== state.channel) return;
  state.board = { claims, since: performance.now() };
  tell("board");
}));

export const loadInbox = inTurn(300, quietly(async () => {
  const { session } = state;
  const items = state.me ? (await get("inbox")).items : [];
  if (session !== state.session) return;
  state.inbox = items;
  tell("inbox");
}));

export const loadPeople = inTurn(2000, quietly(async () => {
  const { session } = state;
  const [{ agents }, me] = await Promise.all([get(`who?${query([["channel", state.channel]])}`), state.me && get("whoami")]);
  if (session !== state.session) return;
  Object.assign(state, { people: agents, me });
  tell("people");
}));

/** A claim lives while its agent is heard of, and a tab that is out of sight is still open. */
export const stayAlive = quietly(async () => {
  const holds = state.me && (state.me.holding || state.me.waiting || state.board.claims.some(isMe));
  if (document.hidden && holds) await get("whoami");
});

/** Everything anew: the server's log may be another one. */
export async function load() {
  const [{ channels }] = await Promise.all([get("channels"), begin()]);
  state.rooms = new Map(channels.map((one) => [one.channel, one]));
  loadInbox();
  const wanted = asked().room || state.channel;
  await open(state.rooms.has(wanted) ? wanted : (channels.at(-1)?.channel ?? ""));
}

let opening = 0;

/** Open a room, at its end or at a message: its newest messages are here then, and what is before them follows. */
export async function open(channel, cursor = 0) {
  const turn = ++opening;
  const log = new Log(channel);
  const room = state.rooms.get(channel);
  Object.assign(state, { channel, log, newFrom: room ? readUpTo(room) : 0, board: { claims: [], since: 0 } });
  for (const topic of ["rooms", "room", "board", "log"]) tell(topic);
  showLog();
  settle();
  if (!channel) return;
  loadBoard();
  loadPeople();
  const head = room?.head ?? 0;
  const newest = await page(channel, Math.max(0, head - NEWEST), PAGE);
  if (turn !== opening) return;
  log.append(newest);
  showLog();
  tell("log");
  fetchOlder(log, () => turn === opening, cursor);
}

async function page(room, cursor, limit) {
  const { events } = await patiently(() => get(`feed?${query([["room", `${room}:${cursor}`], ["limit", String(limit)]])}`));
  return events.filter((event) => event.message);
}

async function fetchOlder(log, isOpen, cursor) {
  let sought = cursor;
  const reach = () => {
    goTo(sought);
    sought = 0;
  };
  if (sought >= log.first && sought) reach();
  showBusy(true);
  try {
    while (log.first > 1 && !log.isFull) {
      const { first } = log;
      const from = Math.max(0, first - 1 - PAGE);
      const older = (await page(log.channel, from, first - 1 - from)).filter((event) => event.cursor < first);
      if (!isOpen()) return;
      log.prepend(older);
      if (log.first === first) break;
      showOlder(older);
      tell("log");
      if (sought >= log.first) reach();
    }
    log.isWhole = !log.isFull;
    if (sought) reach();
  } catch (error) {
    if (isOpen()) toast(`What is older in ${log.channel} could not be read: ${clean(error.message)}`, true);
  } finally {
    if (isOpen()) {
      showBusy(false);
      tell("log");
    }
  }
}

/** Something happened, in whichever room. */
export function take(event) {
  if (event.created) {
    state.rooms.set(event.channel, event.created);
    tell("rooms");
    if (!state.channel) open(event.channel).catch(() => {});
  } else if (event.board) {
    if (event.channel === state.channel) loadBoard();
  } else {
    takeMessage(event);
  }
}

function takeMessage(event) {
  const { channel, cursor, message, change } = event;
  const room = state.rooms.get(channel);
  if (room && cursor > room.head) {
    state.rooms.set(channel, { ...room, head: cursor });
    tell("rooms");
  }
  if (isToMe(message) || isMe(message)) loadInbox();
  if (isToMe(message) && !isMe(message)) toast(`${brief(message.owner, 40)} to you, ${message.type}: ${brief(message.body)}`);
  if (channel !== state.channel) return;
  const { first, last } = state.log;
  if (!state.log.append([event])) {
    open(channel).catch(() => {});
    return;
  }
  if (state.log.last === last) return;
  if (state.log.first !== first) forget(state.log.first);
  showNewer(event);
  tell("log");
  if (message.type !== "claim" && !change) return;
  const waited = state.board.claims.some((one) => one.claim === change?.claim && one.state === "waiting");
  if (change?.kind === "granted" && isMe(message) && waited) toast(`${message.target} is yours.`);
  loadBoard();
}
