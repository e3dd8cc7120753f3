/** Which messages of a room are wanted: by what was said, of which type, by whom, on what. */

import { button, el } from "./dom.js";
import { SHAPES } from "./message.js";
import { state } from "./state.js";

const NOTHING = { type: "", owner: "", text: "", target: "", thread: "" };
const PAUSE_MS = 120;

let wanted = NOTHING;
let form;
let changed = () => {};

const isOpen = (message) => message.type === "question" && message.status !== "resolved" && !state.log.answersTo(message).length;

/** Whether a message is wanted. */
export const matches = ({ message, text }) =>
  (!wanted.type || (wanted.type === "open" ? isOpen(message) : message.type === wanted.type)) &&
  (!wanted.owner || `${message.owner} ${message.agent_id}`.toLowerCase().includes(wanted.owner)) &&
  (!wanted.target || (message.target ?? "").toLowerCase().includes(wanted.target)) &&
  (!wanted.thread || message.thread === wanted.thread || message.msg_id === wanted.thread) &&
  (!wanted.text || text.includes(wanted.text));

export const isFiltered = () => wanted !== NOTHING;

/** The form; what is given is called when something else is wanted, and `sent` when Enter was pressed. */
export function buildSearch(given, sent) {
  changed = given;
  const field = (name, label, control) => {
    control.id = `by-${name}`;
    let timer;
    control.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => want(name, control.value), name === "type" ? 0 : PAUSE_MS);
    });
    return el("div", { class: `by ${control.id}` }, el("label", { for: control.id }, label), control);
  };
  const input = (placeholder) => el("input", { type: "search", autocomplete: "off", spellcheck: "false", placeholder });
  const types = el("select", {}, el("option", { value: "" }, "All"), el("option", { value: "open" }, "open questions"),
    [...SHAPES.keys()].map((one) => el("option", {}, one)));
  const submit = (event) => {
    event.preventDefault();
    sent();
  };
  form = el("form", { class: "search", role: "search", "aria-label": "Search this room", on: { submit } },
    field("text", "Search", input("said")), field("type", "Type", types), field("owner", "Who", input("who")), field("target", "Target", input("on what")),
    button("Clear", () => {
      clearSearch();
      form.elements[0].focus();
    }, { class: "clear" }));
  return form;
}

function want(name, value) {
  const next = { ...wanted, [name]: name === "text" || name === "owner" || name === "target" ? value.trim().toLowerCase() : value };
  wanted = Object.values(next).some(Boolean) ? next : NOTHING;
  state.thread = wanted.thread;
  form.classList.toggle("filtered", isFiltered());
  changed();
}

/** Only one thread. */
export const wantThread = (id) => want("thread", id);

/** Everything is wanted. */
export function clearSearch({ quietly = false } = {}) {
  form.reset();
  wanted = NOTHING;
  state.thread = "";
  form.classList.remove("filtered");
  if (!quietly) changed();
}
