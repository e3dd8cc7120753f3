/** Writing to the room: one form, and for each room a draft that stays until it is in the log. */

import { addressed, names, post } from "./acts.js";
import { brief, button, clean, el, find, said, toast } from "./dom.js";
import { PATIENCE, PATIENCE_MS } from "./forms.js";
import { SHAPES } from "./message.js";
import { calmly, isMe, on, state } from "./state.js";
import { ulid } from "./ulid.js";
import { at, get, passes, write } from "./wire.js";

const POSTED = ["note", "finding", "status", "question", "answer", "steer"];
/** So long is what may be written, in code points. */
const MOST = 16_000;
const DRAFTS = "caucus.drafts";
const MOST_DRAFTS = 50;
const SAVE_MS = 400;
/** `reply` is what it answers, as `{msg_id, thread, owner, to, brief}`, and `before` what the form said before that. */
const EMPTY = { type: "note", body: "", to: "", needs: false, reply: null, before: null };

const drafts = kept();
const place = el("div", { class: "writing" });
let parts;
/** Whose draft, of which room, is in the form. */
let shown = "";

function kept() {
  try {
    return new Map(JSON.parse(sessionStorage.getItem(DRAFTS)) ?? []);
  } catch {
    return new Map();
  }
}

function saveNow() {
  try {
    sessionStorage.setItem(DRAFTS, JSON.stringify([...drafts].slice(-MOST_DRAFTS)));
  } catch {
    // then they are gone when the page is loaded again
  }
}

const save = calmly(SAVE_MS, saveNow);
addEventListener("pagehide", saveNow);

/** A draft is of a room, and of whoever began it. */
const keyOf = (channel) => `${state.me.owner}/${state.me.agent_id} ${channel}`;

const draftOf = (channel) => drafts.get(keyOf(channel)) ?? EMPTY;

function keep(channel, draft) {
  drafts.delete(keyOf(channel));
  if (draft.body || draft.reply || draft.to || draft.needs || draft.type !== EMPTY.type) drafts.set(keyOf(channel), draft);
  save();
}

/** Build what is there once. */
export function buildWriting() {
  const type = el("select", { name: "type", "aria-label": "Type" }, POSTED.map((one) => el("option", { value: one }, `${SHAPES.get(one)} ${one}`)));
  const body = el("textarea", { name: "body", rows: "2", "aria-label": "Message", dir: "auto", placeholder: "Post to the room; Ctrl+Enter sends" });
  const to = el("input", { name: "to", list: "names", placeholder: "to everybody", "aria-label": "To: names, parted by commas", autocomplete: "off" });
  const known = el("datalist", { id: "names" });
  const needs = el("input", { type: "checkbox", name: "needs", id: "needs" });
  const file = el("input", { type: "file", name: "file", "aria-label": "Evidence to attach" });
  const doing = el("button", { type: "submit", class: "primary" }, "Post");
  const trouble = el("div", { class: "problem", role: "alert" });
  const about = el("p", { class: "replied" });
  parts = { type, body, to, needs, file, doing, trouble, about };
  to.addEventListener("focus", () => known.replaceChildren(...names().map((one) => el("option", { value: clean(one) }))));
  type.addEventListener("change", () => (needs.checked = type.value === "question"));
  const keys = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event);
  parts.form = el("form", { "aria-label": "Post", on: { submit: send, keydown: keys, input: noted, change: noted } }, about, body, trouble,
    el("div", { class: "row" }, type, to, known, el("label", { for: "needs", class: "yes" }, needs, " needs an answer"), file, doing));
  // On a small screen the row shows while somebody writes; it stays for the click that took the focus away.
  place.addEventListener("focusin", () => place.classList.add("open"));
  place.addEventListener("focusout", () => setTimeout(() => !place.contains(document.activeElement) && !body.value && place.classList.remove("open"), 400));
  find("#log").append(place);
  on("me", startWriting);
}

function noted() {
  const { type, body, to, needs } = parts;
  keep(state.channel, { ...draftOf(state.channel), type: type.value, body: body.value, to: to.value, needs: needs.checked });
}

/** Another room is open, or somebody else speaks: their draft is in the form. */
export function startWriting() {
  if (!state.me || !state.channel) {
    place.replaceChildren(state.channel ? el("p", { class: "quiet" }, "Sign in to post.") : "");
    return;
  }
  if (!parts.form.isConnected) place.replaceChildren(parts.form);
  if (shown !== keyOf(state.channel)) {
    shown = keyOf(state.channel);
    parts.file.value = "";
    parts.trouble.replaceChildren();
  }
  showSending();
  fill();
}

function fill() {
  const draft = draftOf(state.channel);
  parts.type.value = draft.type;
  parts.body.value = draft.body;
  parts.to.value = draft.to;
  parts.needs.checked = draft.needs;
  place.classList.toggle("open", Boolean(draft.body) || place.contains(document.activeElement));
  parts.about.replaceChildren(...(draft.reply
    ? ["Answering ", said(draft.reply.owner), ": ", said(draft.reply.brief), " ", button("Not an answer", noAnswer, { class: "link" })] : []));
}

/** Answer a message: the form says which. */
export function answer(event) {
  if (!state.me || !event) return;
  const { message } = event;
  const draft = draftOf(state.channel);
  const { msg_id, thread, owner, agent_id, body } = message;
  keep(state.channel, {
    ...draft, type: "answer", to: isMe(message) ? "" : agent_id, before: draft.before ?? { type: draft.type, to: draft.to },
    reply: { msg_id, thread, owner, to: agent_id, brief: brief(body) },
  });
  fill();
  parts.body.focus();
}

function noAnswer() {
  const draft = draftOf(state.channel);
  keep(state.channel, { ...draft, ...draft.before, reply: null, before: null });
  fill();
  parts.body.focus();
}

/** Begin to post: the text has the focus. */
export function compose(type) {
  if (!parts.form.isConnected) return;
  if (type) {
    parts.type.value = type;
    noted();
  }
  parts.body.focus();
}

/** Whose drafts, of which rooms, are on their way. */
const sending = new Set();

function showSending() {
  const isOn = state.me !== null && sending.has(keyOf(state.channel));
  parts.doing.disabled = isOn;
  parts.doing.replaceChildren(isOn ? "Sending…" : "Post");
}

async function send(event) {
  event.preventDefault();
  const { trouble, file } = parts;
  const { channel } = state;
  const draft = draftOf(channel);
  const key = keyOf(channel);
  const attached = file.files[0];
  const body = (draft.body.trim() ? draft.body : attached?.name ?? "").replace(/\r\n?/g, "\n");
  if (sending.has(key) || !body) return;
  if ([...body].length > MOST) {
    trouble.replaceChildren(`A message has at most ${MOST} characters; attach the rest as evidence.`);
    return;
  }
  const isShown = () => state.me !== null && state.channel === channel && keyOf(channel) === key;
  sending.add(key);
  showSending();
  trouble.replaceChildren();
  const waiting = setTimeout(() => isShown() && trouble.replaceChildren(PATIENCE), PATIENCE_MS);
  try {
    const artifact = attached ? await attach(channel, attached) : "";
    const { reply } = draft;
    const thread = reply?.thread ?? (reply ? "" : state.thread);
    const told = await sendOnce(channel, { type: draft.type, body, to: draft.to === reply?.to ? [draft.to] : addressed(draft.to), status: draft.needs ? "needs-response" : "",
      artifact, reply_to: reply?.msg_id ?? "", thread });
    const now = drafts.get(key) ?? EMPTY;
    const rest = now.body.startsWith(draft.body) ? now.body.slice(draft.body.length).trimStart() : now.body;
    const next = { ...EMPTY, body: rest };
    if (now.reply?.msg_id !== reply?.msg_id) Object.assign(next, now, { body: rest });
    for (const name of ["type", "to", "needs"]) if (now[name] !== draft[name]) next[name] = now[name];
    drafts.delete(key);
    if (JSON.stringify(next) !== JSON.stringify(EMPTY)) drafts.set(key, next);
    save();
    if (file.files[0] === attached) file.value = "";
    if (isShown()) {
      trouble.replaceChildren();
      fill();
    }
    if (draft.to) warnOfNobody(channel, told.cursor);
  } catch (error) {
    if (isShown()) trouble.replaceChildren(clean(error.message));
    else toast(`Not posted to ${channel}: ${clean(error.message)}`, true);
  } finally {
    clearTimeout(waiting);
    sending.delete(key);
    showSending();
  }
}

/** What was written and not acknowledged, with its id: sent again, it is the same message. */
const sent = new Map();
/** After so long it is meant anew. */
const MEANT_MS = 60_000;
let lately = "";

async function sendOnce(channel, fields) {
  const same = JSON.stringify([channel, fields]);
  const before = sent.get(same);
  const msg_id = before && performance.now() < before.until ? before.msg_id : ulid();
  sent.set(same, { msg_id, until: Infinity });
  try {
    const told = await post(channel, { ...fields, msg_id });
    sent.delete(same);
    lately = msg_id;
    return told;
  } catch (error) {
    if (passes(error)) sent.set(same, { msg_id, until: performance.now() + MEANT_MS });
    else sent.delete(same);
    throw error;
  } finally {
    while (sent.size > MOST_DRAFTS) sent.delete(sent.keys().next().value);
  }
}

/** Whether a message was written here, and its answer has not come yet, or not for long. */
export function wasSent(msg_id) {
  return [...sent.values()].some((one) => one.msg_id === msg_id) || lately === msg_id;
}

async function warnOfNobody(channel, cursor) {
  try {
    const { unreachable } = await get(at("channels", channel, "messages", String(cursor)));
    if (unreachable.length) toast(`Nobody here is called ${unreachable.map((one) => brief(one, 40)).join(", ")}: that was read by nobody of that name.`, true);
  } catch {
    // it was said all the same
  }
}

/** Put a file's bytes into the room, and say under which address. */
async function attach(channel, file) {
  if (!crypto.subtle) throw new Error("This browser can hash files only over https or on localhost; use: caucus attach");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  const sha256 = [...digest].map((one) => one.toString(16).padStart(2, "0")).join("");
  return (await write(at("channels", channel, "artifacts", sha256), file, { method: "PUT" })).uri;
}
