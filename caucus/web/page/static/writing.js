/** Writing to the room: one form, whose draft stays with its room until it is in the log. */

import { addressed, names, post } from "./acts.js";
import { brief, button, clean, el, find, said } from "./dom.js";
import { PATIENCE, PATIENCE_MS } from "./forms.js";
import { SHAPES } from "./message.js";
import { on, state } from "./state.js";
import { ulid } from "./ulid.js";
import { at, write } from "./wire.js";

const POSTED = ["note", "finding", "status", "question", "answer", "steer"];
/** So long is what may be written, in code points. */
const MOST = 16_000;

const drafts = new Map();
const place = el("div", { class: "writing" });
let replied = null;

/** Put the form where it belongs, once. */
export function buildWriting() {
  find("#log").append(place);
  on("me", showWriting);
}

/** Another room is open. */
export function startWriting() {
  replied = null;
  showWriting();
}

/** Answer a message: the form says which. */
export function answer(event) {
  keepDraft();
  replied = event;
  const draft = drafts.get(state.channel) ?? {};
  drafts.set(state.channel, { ...draft, type: "answer", to: event.message.agent_id });
  showWriting();
  find("textarea", place)?.focus();
}

/** Begin to post: the text has the focus. */
export const compose = (type) => {
  const form = find("form", place);
  if (!form) return;
  if (type) form.elements.type.value = type;
  form.elements.body.focus();
};

function keepDraft() {
  const form = find("form", place);
  if (!form) return;
  const { type, body, to, needs } = form.elements;
  drafts.set(form.dataset.channel, { type: type.value, body: body.value, to: to.value, needs: needs.checked });
}

/** The form to post with; what was begun in a room stays with it. */
function showWriting() {
  if (!state.me || !state.channel) {
    const told = state.channel && !state.me ? "Give a token to post." : "";
    place.replaceChildren(told && el("p", { class: "quiet" }, told));
    return;
  }
  const draft = drafts.get(state.channel) ?? {};
  const type = el("select", { name: "type", "aria-label": "Type" }, POSTED.map((one) =>
    el("option", { value: one, selected: one === (draft.type ?? "note") }, `${SHAPES.get(one)} ${one}`)));
  const text = el("textarea", { name: "body", rows: "2", required: true, "aria-label": "Message", dir: "auto",
    placeholder: "Post to the room; Ctrl+Enter sends" }, draft.body ?? "");
  const to = el("input", { name: "to", list: "names", value: draft.to, placeholder: "to everybody", "aria-label": "To: names, parted by commas", autocomplete: "off" });
  const known = el("datalist", { id: "names" });
  to.addEventListener("focus", () => known.replaceChildren(...names().map((one) => el("option", { value: clean(one) }))));
  const needs = el("input", { type: "checkbox", name: "needs", id: "needs", checked: draft.needs });
  const file = el("input", { type: "file", name: "file", "aria-label": "Evidence to attach" });
  const doing = el("button", { type: "submit", class: "primary" }, "Post");
  const trouble = el("div", { class: "problem", role: "alert" });
  const channel = state.channel;
  const about = replied && el("p", { class: "replied" }, "Answering ", said(replied.message.owner), ": ", said(brief(replied.message.body)), " ",
    button("Not an answer", () => { replied = null; keepDraft(); showWriting(); }, { class: "link" }));
  const send = async (event) => {
    event.preventDefault();
    if (doing.disabled || !text.value.trim()) return;
    if ([...text.value].length > MOST) {
      trouble.replaceChildren(`A message has at most ${MOST} characters; attach the rest as evidence.`);
      return;
    }
    doing.disabled = true;
    trouble.replaceChildren();
    const waiting = setTimeout(() => trouble.replaceChildren(PATIENCE), PATIENCE_MS);
    try {
      const artifact = file.files[0] ? await attach(channel, file.files[0]) : "";
      const status = needs.checked ? "needs-response" : "";
      await sendOnce(channel, { type: type.value, body: text.value.replace(/\r\n?/g, "\n"), to: addressed(to.value), status, artifact,
        reply_to: replied?.message.msg_id ?? "", thread: replied?.message.thread ?? "" });
      drafts.delete(channel);
      if (state.channel === channel) {
        replied = null;
        showWriting();
        find("textarea", place).focus();
      }
    } catch (error) {
      trouble.replaceChildren(clean(error.message));
    } finally {
      clearTimeout(waiting);
      doing.disabled = false;
    }
  };
  const keys = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event);
  place.replaceChildren(el("form", { "data-channel": channel, "aria-label": "Post", on: { submit: send, keydown: keys, input: keepDraft } },
    about, text, trouble,
    el("div", { class: "row" }, type, to, known, el("label", { for: "needs", class: "yes" }, needs, " needs an answer"), file, doing)));
}

/** What was written and not acknowledged, with its id: sent again, it is the same message. */
const sent = new Map();

async function sendOnce(channel, fields) {
  const same = JSON.stringify([channel, fields]);
  if (!sent.has(same)) sent.set(same, ulid());
  try {
    await post(channel, { ...fields, msg_id: sent.get(same) });
    sent.delete(same);
  } catch (error) {
    if (error.code) sent.delete(same);
    throw error;
  }
}

/** Put a file's bytes into the room, and say under which address. */
async function attach(channel, file) {
  if (!crypto.subtle) throw new Error("This browser can hash files only over https or on localhost; use: caucus attach");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  const sha256 = [...digest].map((one) => one.toString(16).padStart(2, "0")).join("");
  return (await write(at("channels", channel, "artifacts", sha256), file, { method: "PUT" })).uri;
}
