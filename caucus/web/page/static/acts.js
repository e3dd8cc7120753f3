/** What a person can do here: each asks for what it needs, and is one write. */

import { brief, clean, el, said, toast } from "./dom.js";
import { ask } from "./forms.js";
import { who } from "./message.js";
import { isMe, isMine, state, tell } from "./state.js";
import { ago, instant, left } from "./time.js";
import { at, write } from "./wire.js";
import { ulid } from "./ulid.js";

const LEASE_MINUTES = 15;

/** Somebody who can be spoken to, by the names that were seen. */
export function names() {
  const seen = new Set();
  for (const one of state.people) seen.add(one.owner).add(one.agent_id);
  for (const claim of state.board.claims) seen.add(claim.owner).add(claim.agent_id);
  return [...seen].filter((one) => one !== "caucus").sort();
}

const list = (text) => text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);

/** Post to a room; the message's fields, of which those that say nothing are left out. */
export function post(channel, fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== "" && value?.length !== 0);
  return write(at("channels", channel, "append"), Object.fromEntries(given));
}

/** Whom a line of names, parted by commas, addresses. */
export const addressed = (line) => list(line);

const claimPath = (claim, action) => at("channels", state.channel, "claims", String(claim.claim), action);

/** What a claim is on, in few words. */
export function onWhat(claim) {
  const more = claim.targets.length - 3;
  const shown = claim.targets.slice(0, 3).map((one, nth) => [nth ? ", " : "", el("code", {}, said(one))]);
  return el("span", {}, shown.flat(), more > 0 ? ` and ${more} more` : "");
}

const inWords = (claim) => brief(claim.targets.join(", "), 60);

/** How a claim stands, and for how long. */
export function standing(claim, since) {
  if (claim.state === "waiting") return [`waits, ${claim.ahead} ahead`];
  return [ago(instant(claim.ts)), ", ", claim.expires_in === null ? "no end" : left(claim.expires_in, since)];
}

function conflict(conflicts, again) {
  const lines = conflicts.slice(0, 5).map((one) => el("li", {}, who(one), " ", standing(one, performance.now()), ": ", onWhat(one)));
  const more = conflicts.length - lines.length;
  return [el("p", {}, "Nothing was taken. It is held:"), el("ul", {}, lines, more > 0 && el("li", {}, `and ${more} more`)),
    el("p", {}, again)];
}

/** Ask for targets, with what is known of them filled in. */
export function claim({ targets = [], wait = false, takeover = false } = {}) {
  const own = state.board.claims.some((one) => isMine(one) && !isMe(one));
  const fields = [
    { name: "targets", label: "Targets, one a line", kind: "text", required: true, value: targets.join("\n"),
      hint: "A file, a folder that ends in /, or the name of a piece of work." },
    { name: "note", label: "What you are about to do", required: true },
    { name: "mode", label: "With whom", kind: "choice", value: "exclusive",
      options: [["exclusive", "Alone"], ["shared", "With others who share"]] },
    { name: "minutes", label: "Minutes that it outlives this page", kind: "number", value: String(LEASE_MINUTES), min: 1, max: 1440 },
    { name: "wait", label: "Wait in line if it is held", kind: "yes", value: wait },
    { name: "takeover", label: "Take over what another session of yours holds", kind: "yes", value: takeover },
  ];
  const submit = async (values, trouble) => {
    const wanted = {
      targets: values.targets.split("\n").map((one) => one.trim()).filter(Boolean), note: values.note, mode: values.mode,
      lease_ttl: Math.min(86_400, Math.max(10, Math.round(Number(values.minutes) * 60) || 900)),
      wait: values.wait, takeover: values.takeover,
    };
    const answer = await write(at("channels", state.channel, "claims"), wanted);
    if (answer.outcome === "already_claimed") {
      trouble.replaceChildren(...conflict(answer.conflicts, "Wait in line for it, or ask them for it."));
      return false;
    }
    const { ahead } = answer.claim;
    return { granted: "It is yours.", queued: `You wait in line, ${ahead} ahead.`, already_yours: "It was yours already." }[answer.outcome];
  };
  ask("Claim", own ? fields : fields.filter((one) => one.name !== "takeover"), "Claim", submit);
}

/** Give back what is yours, or leave the line. */
export function release(one) {
  if (one.kind === "plain") {
    const submit = ({ note }) => {
      const message = { type: "claim", msg_id: ulid(), target: one.targets[0], body: note || "done" };
      return write(at("channels", state.channel, "done"), message).then(() => "It is free.");
    };
    ask(`Release ${inWords(one)}`, [{ name: "note", label: "How it went" }], "Release", submit);
    return;
  }
  const fields = [
    { name: "note", label: "How it went" },
    { name: "done", label: "The work is done", kind: "yes", value: true },
  ];
  const submit = ({ note, done }) =>
    write(claimPath(one, "release"), { done, ...(note && { note }) }).then(() => "It is free.");
  ask(`Release ${inWords(one)}`, fields, "Release", submit);
}

/** Offer what is yours to somebody, who has to accept. */
export function offer(one) {
  const fields = [
    { name: "owner", label: "To whom (the human)", required: true, suggested: [...new Set(state.people.map((person) => person.owner))] },
    { name: "agent_id", label: "Which session of theirs (any, if empty)", suggested: state.people.map((person) => person.agent_id) },
    { name: "note", label: "What they need to know" },
  ];
  const submit = ({ owner, agent_id, note }) => {
    const to = agent_id ? { owner, agent_id } : { owner };
    return write(claimPath(one, "offer"), { to, ...(note && { note }) }).then(() => "Offered. It is yours until they accept.");
  };
  ask(`Hand over ${inWords(one)}`, fields, "Offer", submit);
}

export function accept(one) {
  ask(`Accept ${inWords(one)}`, [{ name: "note", label: "What you are about to do" }], "Accept", ({ note }) =>
    write(claimPath(one, "accept"), note ? { note } : {}).then(() => "It is yours."));
}

export function decline(one) {
  ask(`Decline ${inWords(one)}`, [{ name: "note", label: "Why" }], "Decline", ({ note }) =>
    write(claimPath(one, "decline"), note ? { note } : {}).then(() => "Declined."));
}

/** Have what another session of yours holds, with its place in line. */
export function takeOver(one) {
  ask(`Take over ${inWords(one)}`, [{ name: "note", label: "What you are about to do", required: true }], "Take over",
    async ({ note }, trouble) => {
      const wanted = { targets: one.targets, note, mode: one.mode, takeover: true };
      const answer = await write(at("channels", state.channel, "claims"), wanted);
      if (answer.outcome !== "already_claimed") return answer.outcome === "queued" ? "You wait in its place." : "It is yours.";
      trouble.replaceChildren(...conflict(answer.conflicts, "Somebody else is in the way, and so nothing ended."));
      return false;
    });
}

/** Free what somebody else holds, for a reason that all can read. */
export function revoke(one) {
  ask(`Free ${inWords(one)}`, [{ name: "reason", label: "Why (everybody reads it)", required: true }], "Free it",
    ({ reason }) => write(claimPath(one, "revoke"), { reason }, state.admin ? { token: state.admin } : {}).then(() => "It is free."),
    [el("p", {}, who(one), " ", standing(one, state.board.since), ". They are told that it was freed.")]);
}

/** Whether whoever speaks may free a claim. */
export function mayRevoke(one) {
  const room = state.rooms.get(state.channel);
  return Boolean(state.admin) || isMine(one) || (state.me !== null && room?.created_by === state.me.owner);
}

/** Say that an addressed message was seen. */
export async function ack(channel, cursor) {
  try {
    await write("inbox/ack", { channel, cursor });
    state.inbox = state.inbox.filter((item) => item.channel !== channel || item.cursor !== cursor);
    tell("inbox");
  } catch (error) {
    toast(`Not acknowledged: ${clean(error.message)}`, true);
  }
}

/** A new room. */
export function makeRoom(opened) {
  const fields = [
    { name: "channel", label: "Name", required: true, hint: "Lower case, digits and hyphens: incident-42" },
    { name: "purpose", label: "What it is about" },
  ];
  ask("New room", fields, "Make it", async ({ channel, purpose }) => {
    await write("channels", { channel, ...(purpose && { purpose }) });
    opened(channel);
  });
}
