/** Asking for what an action needs: one dialog, which stays until it is done, so that nothing typed is lost. */

import { button, clean, el, toast } from "./dom.js";

let count = 0;

/** What is shown while nobody answers, and from when on. */
export const PATIENCE = "No answer yet; it is being tried again.";
export const PATIENCE_MS = 1500;

function control(field, id) {
  const given = { id, name: field.name, required: field.required, "aria-describedby": field.hint && `${id}-hint` };
  if (field.kind === "text") return el("textarea", { ...given, rows: field.rows ?? 3 }, field.value ?? "");
  if (field.kind === "choice") {
    return el("select", given, field.options.map(([value, label]) =>
      el("option", { value, selected: value === field.value }, label)));
  }
  if (field.kind === "yes") return el("input", { ...given, type: "checkbox", checked: field.value });
  const list = field.suggested?.length ? `${id}-list` : null;
  return el("input", { ...given, type: field.kind ?? "text", value: field.value, list, min: field.min, max: field.max,
    maxlength: "1024", autocomplete: "off", spellcheck: "false" });
}

function line(field) {
  const id = `field-${++count}`;
  const input = control(field, id);
  const hint = field.hint && el("small", { id: `${id}-hint` }, field.hint);
  const suggested = field.suggested?.length && el("datalist", { id: `${id}-list` },
    field.suggested.map((one) => el("option", { value: clean(one) })));
  const label = el("label", { for: id }, field.label);
  const parts = field.kind === "yes" ? [input, label] : [label, input];
  return [input, el("div", { class: field.kind === "yes" ? "field yes" : "field" }, ...parts, suggested, hint)];
}

/**
 * A form's fields, by name, and what shows what is wrong.
 *
 * @param fields `{name, label, kind?, value?, required?, hint?, options?, suggested?}`; `kind` is an input's type,
 *   `text` for several lines, `choice`, or `yes`.
 * @param submit takes the values; what it throws is shown, and what it returns is said.
 */
export function form(fields, action, submit, { after = () => {}, extra = [] } = {}) {
  const lines = fields.map((field) => [field, ...line(field)]);
  const trouble = el("div", { class: "problem", role: "alert" });
  const doing = el("button", { type: "submit", class: "primary" }, action);
  const send = async (event) => {
    event.preventDefault();
    if (doing.disabled) return;
    doing.disabled = true;
    trouble.replaceChildren();
    const waiting = setTimeout(() => trouble.replaceChildren(PATIENCE), PATIENCE_MS);
    const values = Object.fromEntries(lines.map(([field, input]) =>
      [field.name, field.kind === "yes" ? input.checked : field.kind === "text" ? input.value : input.value.trim()]));
    try {
      const told = await submit(values, trouble, event.target.closest("form"));
      clearTimeout(waiting);
      if (told !== false) {
        trouble.replaceChildren();
        after();
        if (told) toast(told);
      }
    } catch (error) {
      trouble.replaceChildren(clean(error.message));
      if (!trouble.isConnected) toast(`${action}: ${clean(error.message)}`, true);
    } finally {
      clearTimeout(waiting);
      doing.disabled = false;
    }
  };
  const keys = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
  };
  return el("form", { on: { submit: send, keydown: keys } },
    lines.map(([, , node]) => node), trouble, el("div", { class: "row" }, doing, extra));
}

/** The form, in a dialog; Escape closes it. */
export function ask(title, fields, action, submit, more = [], is = "") {
  const id = `dialog-${++count}`;
  const dialog = el("dialog", { "aria-labelledby": id, "data-is": is });
  const close = () => dialog.close();
  dialog.append(
    el("h2", { id }, title), ...more,
    form(fields, action, submit, { after: close, extra: [button("Cancel", close)] }),
  );
  show(dialog);
}

/** Show a dialog, until it is closed; what had the focus, or has its `data-key` now, has it again. */
export function show(dialog) {
  const before = document.activeElement;
  const key = before?.dataset?.key;
  let isWarned = false;
  dialog.addEventListener("cancel", (event) => {
    const typed = [...dialog.querySelectorAll("input, textarea")].some((one) =>
      one.type === "checkbox" ? one.checked !== one.defaultChecked : one.value !== one.defaultValue);
    const place = dialog.querySelector(".problem");
    if (!typed || isWarned || !place) return;
    isWarned = true;
    event.preventDefault();
    place.replaceChildren("Escape once more throws away what you wrote.");
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    const again = before?.isConnected ? before : key && [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    again?.focus?.();
  });
  document.body.append(dialog);
  dialog.showModal();
}
