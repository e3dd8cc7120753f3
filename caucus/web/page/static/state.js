/** What the page knows, and who wants to hear when that changes. */

/** `channel` is the room that is open; `events` are its log, by cursor. */
export const state = {
  me: null,
  admin: "",
  rooms: new Map(),
  channel: "",
  view: "log",
  log: null,
  board: { claims: [], since: 0 },
  inbox: [],
  people: [],
  connection: "connecting",
};

const listeners = new Map();
const changed = new Set();

/** Be called at most once a frame after a topic changed. */
export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, []);
  listeners.get(topic).push(listener);
}

export function tell(topic) {
  if (!changed.size) setTimeout(flush, 15);
  changed.add(topic);
}

function flush() {
  const topics = [...changed];
  changed.clear();
  for (const topic of topics) for (const listener of listeners.get(topic) ?? []) listener();
}

/** The same call, at most once in so many milliseconds: at once, and again if it was asked for meanwhile. */
export function calmly(ms, call) {
  let timer = null;
  let again = false;
  const run = () => {
    again = false;
    timer = setTimeout(() => {
      timer = null;
      if (again) run();
    }, ms);
    call();
  };
  return () => {
    if (timer === null) run();
    else again = true;
  };
}

/** Whether somebody is the agent that speaks here. */
export const isMe = (one) => state.me !== null && one.agent_id === state.me.agent_id && one.owner === state.me.owner;

/** Whether somebody acts for the same human. */
export const isMine = (one) => state.me !== null && one.owner === state.me.owner;

/** Whether a message is addressed to whoever speaks here. */
export const isToMe = (message) =>
  state.me !== null && (message.to ?? []).some((one) => one === state.me.agent_id || one === state.me.owner);

const READ = "caucus.read";

function kept() {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(READ)) ?? {}));
  } catch {
    return new Map();
  }
}

/** How far this browser has shown a room; a log that was lost begins anew. */
export function readUpTo(room) {
  const read = Number(kept().get(room.channel + " " + room.created_ts) ?? 0);
  return read <= room.head ? read : 0;
}

export const unread = (room) => room.head - readUpTo(room);

export function markRead(room) {
  const read = kept();
  const name = room.channel + " " + room.created_ts;
  if (read.get(name) === room.head) return;
  read.delete(name);
  read.set(name, room.head);
  try {
    localStorage.setItem(READ, JSON.stringify(Object.fromEntries([...read].slice(-500))));
  } catch {
    return; // a browser that keeps nothing shows everything as new the next time
  }
  tell("rooms");
}

addEventListener("storage", (event) => event.key === READ && tell("rooms"));
