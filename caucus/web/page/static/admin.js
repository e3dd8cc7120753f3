/** Tokens: made and revoked by whoever has the admin token, which stays in this page's memory alone. */

import { button, clean, el, find, said, toast } from "./dom.js";
import { form } from "./forms.js";
import { state, tell } from "./state.js";
import { isToken, once } from "./wire.js";

const FIELDS = [
  { name: "agent_id", label: "Agent (the session)", required: true, hint: "alice-laptop" },
  { name: "owner", label: "Owner (the human)", required: true, hint: "alice" },
];

export function showAdmin() {
  const place = find("#admin");
  if (!state.admin) {
    const field = { name: "token", label: "Admin token", kind: "password", required: true,
      hint: "What CAUCUS_ADMIN_TOKEN is; it works from this machine only. It is forgotten when the page is closed." };
    const take = ({ token }) => {
      if (!isToken(token)) throw new Error("That is no token.");
      state.admin = token;
      tell("board");
      showAdmin();
    };
    place.replaceChildren(el("h2", {}, "Admin"), el("p", {}, "Who may write: make tokens, revoke them, and free any claim."), form([field], "Use it", take));
    return;
  }
  const made = el("div", { class: "made", role: "status" });
  const mint = async ({ agent_id, owner }) => {
    const answer = await asAdmin("admin/tokens", { agent_id, owner });
    made.replaceChildren(shown(answer));
  };
  const revoke = async ({ agent_id, digest }) => {
    if (!agent_id && !digest) throw new Error("Say whose, or which.");
    const answer = await asAdmin("admin/tokens/revoke", digest ? { digest } : { agent_id });
    return answer.revoked ? "Revoked." : "There was no such token; those of the daemon's start cannot be revoked.";
  };
  const forget = () => {
    state.admin = "";
    tell("board");
    showAdmin();
  };
  place.replaceChildren(
    el("h2", {}, "Admin"),
    el("section", { "aria-label": "Make a token" }, el("h3", {}, "Make a token"), form(FIELDS, "Make it", mint), made),
    el("section", { "aria-label": "Revoke tokens" }, el("h3", {}, "Revoke tokens"),
      form([{ name: "agent_id", label: "All of an agent" }, { name: "digest", label: "Or one, by its digest", hint: "The SHA-256 of the token, in hex." }], "Revoke", revoke)),
    button("Forget the admin token", forget),
  );
}

async function asAdmin(path, body) {
  try {
    return await once(path, body, state.admin);
  } catch (error) {
    if (error.status !== 401) throw error;
    throw new Error("That admin token is not good here: another one is set, or none, or the daemon is on another machine.");
  }
}

/** A token, which is shown once; and a link that opens this page with it. */
function shown({ token, agent_id, owner }) {
  const link = new URL(location.pathname, location.href);
  link.hash = new URLSearchParams({ token }).toString();
  const copy = (text, what) => button(`Copy ${what}`, () => navigator.clipboard?.writeText(text)
    .then(() => toast("Copied."), () => toast("The browser did not let it be copied.", true)) ?? toast("Select it, and copy it.", true));
  return el("div", {},
    el("p", {}, "A token for ", said(owner), "/", said(agent_id), ". It is shown once:"),
    el("p", {}, el("code", { class: "secret" }, clean(token))),
    el("p", { class: "row" }, copy(token, "the token"), copy(String(link), "a link to this page with it")),
  );
}
