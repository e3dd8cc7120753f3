/** What the page knows, and who wants to hear when that changes. */

/**
 * `me` is who speaks, and `session` counts whoever did. `channel` is the room that is open, `log` its messages, and
 * `newFrom` how far it had been read when it was opened; `sought` is what is to be shown once it is here, as
 * `{cursor, answers, isPlace}`, and `thread` the one that alone is shown. `board`, `inbox` and `people` are null where it
 * is not known. `awaited` are the numbers of claims that we wait for, `granted` says that one was granted while nobody
 * looked, and `missing` is a room that was asked for and is not there.
 */
export const state = {
  me: null,
  session: 0,
  admin: "",
  rooms: new Map(),
  channel: "",
  view: "log",
  log: null,
  newFrom: 0,
  sought: null,
  thread: "",
  board: { claims: null, since: 0 },
  inbox: null,
  people: null,
  awaited: new Set(),
  granted: false,
  missing: "",
  connection: "connecting",
};

/** What is asked for again and again leaves so many times as long as it took, up to so many milliseconds. */
const SHARE = 5;
const MOST_MS = 3000;

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
  for (const topic of topics) {
    for (const listener of listeners.get(topic) ?? []) {
      try {
        listener();
      } catch (error) {
        reportError(error); // the others are told all the same
      }
    }
  }
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

/**
 * The same work, never twice at a time and at most once in so many milliseconds: asked for meanwhile, it is done
 * again, and so it is, more and more seldom, after it failed in a way that may pass.
 */
export function inTurn(ms, work, mayPass) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    let wait = ms;
    while (again) {
      again = false;
      const began = performance.now();
      try {
        await work();
        wait = Math.max(ms, Math.min(MOST_MS, SHARE * (performance.now() - began)));
      } catch (error) {
        again ||= mayPass(error);
        wait = Math.min(Math.max(2 * wait, 1000), 8000);
      }
      await new Promise((done) => setTimeout(done, wait));
    }
    running = false;
  };
}

const tabs = new BroadcastChannel("caucus");

/** Have other tabs of this browser look anew. */
export const tellTabs = (topic) => tabs.postMessage(topic);

export const onTabs = (listener) => tabs.addEventListener("message", ({ data }) => listener(data));

/** Whether somebody is the agent that speaks here. */
export const isMe = (one) => state.me !== null && one.agent_id === state.me.agent_id && one.owner === state.me.owner;

/** Whether somebody acts for the same human. */
export const isMine = (one) => state.me !== null && one.owner === state.me.owner;

/** Whether a message is addressed to whoever speaks here. */
export const isToMe = (message) =>
  state.me !== null && (message.to ?? []).some((one) => one === state.me.agent_id || one === state.me.owner);

const READ = "caucus.read";
/** So many rooms are remembered, those that were read last. */
const MOST_READ = 500;
const SAVE_MS = 500;

function kept() {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(READ)) ?? {}));
  } catch {
    return new Map();
  }
}

let read = kept();
/** Some room's log is shorter than it was: what other tabs kept is not to be believed. */
let isLost = false;

const nameOf = (room) => `${room.channel} ${room.created_ts}`;

/** How far this browser has shown a room; a log that was lost begins anew. */
export function readUpTo(room) {
  const upTo = Number(read.get(nameOf(room)) ?? 0);
  return upTo <= room.head ? upTo : 0;
}

export const unread = (room) => room.head - readUpTo(room);

const save = calmly(SAVE_MS, () => {
  const both = kept(); // another tab has read others
  for (const [name, upTo] of read) {
    const further = isLost ? upTo : Math.max(upTo, Number(both.get(name) ?? 0));
    both.delete(name);
    both.set(name, further);
  }
  read = new Map([...both].slice(-MOST_READ));
  try {
    localStorage.setItem(READ, JSON.stringify(Object.fromEntries(read)));
  } catch {
    // a browser that keeps nothing shows everything as new the next time
  }
});

export function markRead(room, cursor) {
  const name = nameOf(room);
  if (readUpTo(room) >= cursor) return;
  isLost = isLost || Number(read.get(name) ?? 0) > cursor;
  read.delete(name);
  read.set(name, cursor);
  save();
  tell("rooms");
}

addEventListener("storage", (event) => {
  if (event.key !== READ) return;
  for (const [name, upTo] of kept()) read.set(name, Math.max(Number(upTo), Number(read.get(name) ?? 0)));
  tell("rooms");
});
