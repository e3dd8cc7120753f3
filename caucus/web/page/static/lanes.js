/** A room's log, folded into what a picture of time shows: who held what from when to when, and what was said. */

import { instant } from "./time.js";

/** How a claim ends, as the log says; what has no word of its own was given back. */
const ENDS = new Set(["released", "lapsed", "revoked", "taken_over"]);
const POINTS = new Set(["finding", "question", "steer", "answer"]);

const lane = ({ owner, agent_id }) => `${owner}/${agent_id}`;

/**
 * @param events of a feed, in their order.
 * @param until an instant in milliseconds: what is still held goes on until then.
 * @returns `{lanes, bars, points}`: the names of agents, in the order in which they were first heard; of each claim,
 *   for as long as one agent held it, `{lane, target, start, end, how, cursor}`, where `how` is empty while it is held;
 *   of each message of some types `{lane, type, at, body, cursor}`.
 */
export function fold(events, until) {
  const lanes = new Map();
  const bars = [];
  const points = [];
  const open = new Map();
  const close = (key, at, how) => {
    const bar = open.get(key);
    if (bar) Object.assign(bar, { end: at, how });
    open.delete(key);
  };
  for (const { message, change, cursor } of events) {
    const at = instant(message.ts);
    const by = lane(message);
    if (message.owner !== "caucus") lanes.set(by, at);
    if (POINTS.has(message.type)) points.push({ lane: by, type: message.type, at, body: message.body, cursor });
    if (message.type !== "claim" || !message.target) continue;
    const target = message.target;
    const key = change ? `#${change.claim}` : `= ${target.trim().normalize("NFC")}`;
    const kind = change?.kind ?? (message.status === "resolved" ? "released" : "granted");
    lapse(open, key, at);
    if (ENDS.has(kind)) {
      close(change && !open.has(key) ? `= ${target.trim().normalize("NFC")}` : key, at, kind);
    } else if (kind === "granted" || kind === "handed_over") {
      const before = open.get(key);
      if (before && before.lane === by) {
        before.lapses = lapses(message, change, at); // a heartbeat
        continue;
      }
      close(key, at, "handed_over");
      const bar = { lane: by, target, start: at, end: until, how: "", cursor, lapses: lapses(message, change, at) };
      open.set(key, bar);
      bars.push(bar);
    }
  }
  for (const key of [...open.keys()]) lapse(open, key, until);
  return { lanes: [...lanes.keys()], bars, points };
}

/** When a claim of the original lapses, silently. */
const lapses = (message, change, at) => (!change && message.lease_ttl ? at + message.lease_ttl * 1000 : Infinity);

function lapse(open, key, at) {
  const bar = open.get(key);
  if (bar && bar.lapses <= at) {
    Object.assign(bar, { end: bar.lapses, how: "lapsed" });
    open.delete(key);
  }
}
