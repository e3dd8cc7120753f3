/** What a person can do here: each asks for what it needs, and is one write. */

import { brief, button, clean, el, said, toast } from "./dom.js";
import { ask } from "./forms.js";
import { who } from "./message.js";
import { isMe, isMine, state, tell, tellTabs } from "./state.js";
import { ago, instant, left } from "./time.js";
import { at, write } from "./wire.js";
import { ulid } from "./ulid.js";

const LEASE_MINUTES = 15;

/** Somebody who can be spoken to, by the names that were seen. */
export function names() {
  const seen = new Set();
  for (const one of state.people ?? []) seen.add(one.owner).add(one.agent_id);
  for (const claim of state.board.claims ?? []) seen.add(claim.owner).add(claim.agent_id);
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

const claimPath = (claim, action) => at("channels", claim.channel, "claims", String(claim.claim), action);

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

/** Claim, and remember for what we wait. */
async function take(channel, wanted) {
  const answer = await write(at("channels", channel, "claims"), wanted);
  if (answer.outcome === "queued") state.awaited.add(answer.claim.claim);
  return answer;
}

function conflict(conflicts, again, ...doing) {
  const lines = conflicts.slice(0, 5).map((one) => el("li", {}, who(one), " ", standing(one, performance.now()), ": ", onWhat(one)));
  const more = conflicts.length - lines.length;
  return [el("p", {}, "Nothing was taken. It is held:"), el("ul", {}, lines, more > 0 && el("li", {}, `and ${more} more`)),
    el("p", {}, again), ...doing];
}

/** Ask for targets, with what is known of them filled in. */
export function claimTargets({ targets = [], wait = false, takeover = false } = {}) {
  const { channel } = state;
  const own = (state.board.claims ?? []).some((one) => isMine(one) && !isMe(one));
  const fields = [
    { name: "targets", label: "Targets, one a line", kind: "text", required: true, value: targets.join("\n"),
      hint: "A file, a folder that ends in /, or the name of a piece of work." },
    { name: "note", label: "What you are about to do", required: true },
    { name: "mode", label: "With whom", kind: "choice", value: "exclusive",
      options: [["exclusive", "Alone"], ["shared", "With others who share"]] },
    { name: "minutes", label: "Minutes that it is kept for after you close this page", kind: "number", value: String(LEASE_MINUTES), min: 3, max: 1440 },
    { name: "wait", label: "Wait in line if it is held", kind: "yes", value: wait },
    { name: "takeover", label: "Take over what another session of yours holds", kind: "yes", value: takeover },
  ];
  const submit = async (values, trouble, form) => {
    const wanted = {
      targets: values.targets.split("\n").map((one) => one.trim()).filter(Boolean), note: values.note, mode: values.mode,
      lease_ttl: Math.min(86_400, Math.max(10, Math.round(Number(values.minutes) * 60) || 900)),
      wait: values.wait, takeover: values.takeover,
    };
    const answer = await take(channel, wanted);
    const what = brief(wanted.targets.join(", "), 60);
    if (answer.outcome === "already_claimed") {
      const queue = () => {
        form.elements.wait.checked = true;
        form.requestSubmit();
      };
      trouble.replaceChildren(...conflict(answer.conflicts, "Ask them for it, or:", button("Wait in line", queue)));
      return false;
    }
    const { ahead } = answer.claim;
    return { granted: `${what} is yours.`, queued: `You wait in line for ${what}, ${ahead} ahead.`, already_yours: `${what} was yours already.` }[answer.outcome];
  };
  ask("Claim", own ? fields : fields.filter((one) => one.name !== "takeover"), "Claim", submit);
}

/** Give back what is yours, or leave the line. */
export function release(one) {
  const isHeld = one.state === "held";
  if (one.kind === "plain") {
    const submit = ({ note }) => {
      const message = { type: "claim", msg_id: ulid(), target: one.targets[0], body: note || "done" };
      return write(at("channels", one.channel, "done"), message).then(({ outcome }) => {
        if (outcome === "granted") return `${inWords(one)} is free.`;
        throw new Error(outcome === "not_held" ? "Nobody held it any more." : "Somebody else holds it.");
      });
    };
    ask(`Release ${inWords(one)}`, [{ name: "note", label: "How it went" }], "Release", submit);
    return;
  }
  const fields = [
    { name: "note", label: "How it went" },
    { name: "done", label: "The work is done", kind: "yes", value: true },
  ];
  const submit = ({ note, done }) =>
    write(claimPath(one, "release"), { done, ...(note && { note }) }).then(() => (isHeld ? `${inWords(one)} is free.` : "You left the line."));
  if (isHeld) ask(`Release ${inWords(one)}`, fields, "Release", submit);
  else ask(`Leave the line for ${inWords(one)}`, [], "Leave", () => submit({ done: false }));
}

/** Offer what is yours to somebody, who has to accept. */
export function offer(one) {
  const people = state.people ?? [];
  const fields = [
    { name: "owner", label: "To whom (the human)", required: true, suggested: [...new Set(people.map((person) => person.owner))] },
    { name: "agent_id", label: "Which session of theirs (any, if empty)", suggested: people.map((person) => person.agent_id) },
    { name: "note", label: "What they need to know" },
  ];
  let warned = "";
  const submit = ({ owner, agent_id, note }, trouble) => {
    const to = agent_id ? { owner, agent_id } : { owner };
    const isThere = people.some((person) => person.owner === owner && (!agent_id || person.agent_id === agent_id));
    if (!isThere && warned !== `${owner}/${agent_id}`) {
      warned = `${owner}/${agent_id}`;
      trouble.replaceChildren("Nobody of that name was seen here in the last day. Press again to offer it all the same.");
      return false;
    }
    return write(claimPath(one, "offer"), { to, ...(note && { note }) }).then(() => `${inWords(one)} is offered, and yours until they accept.`);
  };
  ask(`Hand over ${inWords(one)}`, fields, "Offer", submit);
}

/** An offer was answered: what told of it is not owed any more. */
function settled(one, told) {
  const item = (state.inbox ?? []).find(({ about }) => about?.claim?.claim === one.claim);
  if (item) ack(item.channel, item.cursor);
  return told;
}

export function accept(one) {
  ask(`Accept ${inWords(one)}`, [{ name: "note", label: "What you are about to do" }], "Accept", ({ note }) =>
    write(claimPath(one, "accept"), note ? { note } : {}).then(() => settled(one, `${inWords(one)} is yours.`)));
}

export function decline(one) {
  ask(`Decline ${inWords(one)}`, [{ name: "note", label: "Why" }], "Decline", ({ note }) =>
    write(claimPath(one, "decline"), note ? { note } : {}).then(() => settled(one, "Declined.")));
}

/** Have what another session of yours holds, with its place in line. */
export function takeOver(one) {
  ask(`Take over ${inWords(one)}`, [{ name: "note", label: "What you are about to do", required: true }], "Take over",
    async ({ note }, trouble) => {
      const wanted = { targets: one.targets, note, mode: one.mode, takeover: true, ...(one.lease_ttl && { lease_ttl: one.lease_ttl }) };
      const answer = await take(one.channel, wanted);
      if (answer.outcome !== "already_claimed") return answer.outcome === "queued" ? "You wait in its place." : `${inWords(one)} is yours.`;
      trouble.replaceChildren(...conflict(answer.conflicts, "Somebody else is in the way, and so nothing ended."));
      return false;
    });
}

/** Free what somebody else holds, for a reason that all can read. */
export function revoke(one) {
  const isHeld = one.state === "held";
  ask(isHeld ? `Free ${inWords(one)}` : `Remove from the line for ${inWords(one)}`,
    [{ name: "reason", label: "Why (everybody reads it)", required: true }], isHeld ? "Free it" : "Remove",
    ({ reason }) => write(claimPath(one, "revoke"), { reason }, mayByOwn(one) ? {} : { token: state.admin })
      .then(() => (isHeld ? `${inWords(one)} is free.` : "Removed from the line.")),
    [el("p", {}, who(one), " ", standing(one, state.board.since), ". They are told why.")]);
}

/** Whether whoever speaks may free a claim. */
export const mayRevoke = (one) => Boolean(state.admin) || mayByOwn(one);

const mayByOwn = (one) => state.me !== null && (isMine(one) || state.rooms.get(one.channel)?.created_by === state.me.owner);

/** Say that an addressed message was seen. */
export async function ack(channel, cursor) {
  try {
    await write("inbox/ack", { channel, cursor });
    state.inbox = (state.inbox ?? []).filter((item) => item.channel !== channel || item.cursor !== cursor);
    tell("inbox");
    tellTabs("inbox");
    dispatchEvent(new CustomEvent("caucus:acked"));
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
  ask("New room", fields, "Make it", async ({ channel: given, purpose }) => {
    const channel = given.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
    state.rooms.set(channel, await write("channels", { channel, ...(purpose && { purpose }) }));
    opened(channel);
  });
}
