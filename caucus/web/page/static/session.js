/** Who speaks: a token from the address or from a form, kept for as long as the tab is open. */

import { brief, button, el, find, said } from "./dom.js";
import { ask } from "./forms.js";
import { state, tell } from "./state.js";
import { Refused, get, isToken, speak } from "./wire.js";

const TOKEN = "caucus.token";

/** Speak with a token from now on, or with none. */
export function keep(token) {
  try {
    if (token) sessionStorage.setItem(TOKEN, token);
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // then it is gone when the page is loaded again
  }
  speak(token);
}

function kept() {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return "";
  }
}

/** Find out who speaks, with the token that there is; a bad one is forgotten. */
export async function begin() {
  const token = kept();
  speak(token);
  let me = null;
  if (token) {
    try {
      me = await get("whoami");
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      keep("");
      showForm("That token is not good here, or not any more.");
    }
  }
  state.me = me;
  state.session += 1;
  tell("me");
}

/** Ask for a token. */
export function showForm(why = "") {
  if (find("dialog[open]")) return;
  const take = async ({ token }) => {
    if (!isToken(token)) throw new Error("That is no token.");
    const me = await get("whoami", { token });
    keep(token);
    dispatchEvent(new CustomEvent("caucus:token"));
    return `You are ${brief(me.owner)}/${brief(me.agent_id)}.`;
  };
  ask("Your token", [{ name: "token", label: "Token", kind: "password", required: true,
    hint: "It says who you are. It stays in this tab, and is forgotten with it." }], "Use it", take, why ? [el("p", {}, why)] : []);
}

function leave() {
  keep("");
  state.admin = "";
  dispatchEvent(new CustomEvent("caucus:token"));
}

/** Who speaks, at the top of the page. */
export function showMe() {
  find("#me").replaceChildren(...(state.me
    ? [el("span", { class: "who" }, said(state.me.owner), "/", said(state.me.agent_id)), button("Sign out", leave)]
    : [button("Sign in", () => showForm())]));
}
