/** What the page's address says: the room and the view, behind the number sign, where no server sees it. */

import { state } from "./state.js";
import { query } from "./wire.js";

const VIEWS = ["rooms", "log", "timeline", "board", "inbox", "people", "admin"];

const given = () => new URLSearchParams(location.hash.slice(1));

/** The room and the view that the address asks for, each `""` if it does not, and the message, or 0. */
export function asked() {
  const view = given().get("view") ?? "";
  const at = Number(given().get("at") ?? 0);
  return { room: given().get("room") ?? "", view: VIEWS.includes(view) ? view : "", at: Number.isSafeInteger(at) ? at : 0 };
}

/** The address of what is shown, with these in place of its room or view. */
export const addressOf = (wanted = {}) => {
  const shown = { room: state.channel, view: state.view, ...wanted };
  return `#${query([["room", shown.room], ["view", shown.view], ["at", shown.at ?? ""]])}`;
};

/** Show something else, from which one can come back. */
export const go = (wanted) => {
  location.hash = addressOf(wanted);
};

/** As `go`, where whoever calls goes there. */
export const went = (wanted) => history.pushState(null, "", addressOf(wanted));

/** Have the address say what is shown. */
export const settle = () => history.replaceState(null, "", addressOf());

/** Take a token out of the address, where it was to get here; `null` if there is none. */
export function takeToken() {
  const rest = given();
  const token = rest.get("token");
  rest.delete("token");
  if (token !== null) history.replaceState(null, "", `${location.pathname}${location.search}#${rest}`);
  return token;
}
