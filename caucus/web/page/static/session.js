/** Who speaks: a token from the address or from a form, kept for as long as the tab is open. */

import { brief, button, el, find, renew, said, toast } from "./dom.js";
import { ask } from "./forms.js";
import { state, tell } from "./state.js";
import { Refused, get, isToken, speak } from "./wire.js";

const TOKEN = "caucus.token";

let token = "";

/** Speak as before, if this tab did. */
export function resume() {
  try {
    token = sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    // then it is asked for
  }
  speak(token);
}

/** Speak with a token from now on, or with none; what is still on its way was asked by somebody else. */
function keep(given) {
  token = given;
  state.session += 1;
  try {
    if (token) sessionStorage.setItem(TOKEN, token);
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // then it is gone when the page is loaded again
  }
  speak(token);
}

/** Find out who speaks, with the token that there is; a bad one is forgotten. */
export async function begin() {
  const { session } = state;
  let me = null;
  if (token) {
    try {
      me = await get("whoami");
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      if (session !== state.session) return;
      keep("");
      showForm("That token is not good here, or not any more.");
    }
  }
  if (session !== state.session && me) return;
  state.me = me;
  tell("me");
}

/** A link came with a token: whoever speaks already is asked first. */
export function offered(given) {
  if (!isToken(given) || given === token) return;
  if (!token) {
    become(given);
    return;
  }
  const who = state.me ? `${brief(state.me.owner, 40)}/${brief(state.me.agent_id, 40)}` : "somebody";
  ask("Somebody else's link?", [], "Use its token", () => become(given),
    [el("p", {}, `The link that you followed has a token with it. You are ${who} here; with it you may be somebody else.`)]);
}

function become(given) {
  keep(given);
  Object.assign(state, { me: null, inbox: null, people: null, board: { claims: null, since: 0 } });
  state.awaited.clear();
  tell("me");
  dispatchEvent(new CustomEvent("caucus:token"));
}

/** The token is not good any more: nobody speaks, until somebody signs in again. */
export function refuse() {
  if (!token) return;
  become("");
  showForm("Your token is not good here, or not any more.");
}

/** Whether the form is to be shown once the dialog is closed that is open. */
let isWanted = false;

/** Ask for a token. */
export function showForm(why = "") {
  const other = find("dialog[open]");
  if (other) {
    if (isWanted || other.dataset.is === "token") return;
    isWanted = true;
    other.addEventListener("close", () => setTimeout(() => {
      isWanted = false;
      showForm(why);
    }), { once: true });
    return;
  }
  const take = async ({ token: given }) => {
    if (!isToken(given)) throw new Error("That is no token.");
    const me = await get("whoami", { token: given });
    become(given);
    return `You are ${brief(me.owner)}/${brief(me.agent_id)}.`;
  };
  ask("Your token", [{ name: "token", label: "Token", kind: "password", required: true,
    hint: "It says who you are: the one that you gave to `caucus login`, or that whoever runs the daemon made for you. It is forgotten with this tab." }], "Use it", take, why ? [el("p", {}, why)] : [], "token");
}

function leave() {
  const { holding } = state.me;
  if (holding) toast(`You still hold ${holding}, each until its time is up.`, false, true);
  state.admin = "";
  tell("admin");
  become("");
}

/** Who speaks, at the top of the page. */
export function showMe() {
  renew(find("#me"), () => (state.me
    ? [el("span", { class: "who" }, said(state.me.owner), "/", said(state.me.agent_id)), button("Sign out", leave, { "data-key": "sign out" })]
    : [button("Sign in", () => showForm(), { "data-key": "sign in" })]));
}
