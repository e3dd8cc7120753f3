/** The page: puts its parts together, and goes where the address says. */

import { asked, addressOf, takeToken, went } from "./address.js";
import { showAdmin } from "./admin.js";
import { clean, el, find, toast } from "./dom.js";
import { help, key } from "./keys.js";
import { Live } from "./live.js";
import { load, loadBoard, loadInbox, loadPeople, lookFromAfar, open, take } from "./loading.js";
import { buildLog, goTo, goToPlainly, seen } from "./log_view.js";
import { showAbout, showRooms, showTitle } from "./rooms.js";
import { offered, refuse, resume, showForm, showMe } from "./session.js";
import { buildSide } from "./side.js";
import { calmly, on, onTabs, state, tell } from "./state.js";
import { tick } from "./time.js";
import { buildTimeline } from "./timeline.js";
import { buildWriting } from "./writing.js";

const ROOMS_MS = 200;
const PEOPLE_MS = 15_000;
const ALIVE_MS = 20_000;
/** Views that stand beside the log where there is room. */
const BESIDE = new Set(["board", "inbox", "people"]);
const CONNECTIONS = new Map(
  Object.entries({
    live: ["●", "Live"],
    connecting: ["○", "Connecting…"],
    paused: ["○", "Paused"],
    away: ["▲", "No connection; trying again…"],
    refused: ["▲", "Refused"],
  }),
);

const live = new Live({
  begin: load,
  event: take,
  refused: (error) => (error.status === 401 ? showForm("This server asks for a token.") : toast(clean(error.message), true)),
});

function restart() {
  live.stop();
  live.start();
}

function showConnection() {
  const [shape, text] = CONNECTIONS.get(state.connection);
  find("#connection").className = state.connection;
  find("#connection").replaceChildren(el("span", { "aria-hidden": "true" }, shape), ` ${text}`);
}

function showViews() {
  for (const one of find("#views").children) {
    one.href = addressOf({ view: one.dataset.view });
    if (one.dataset.view === state.view) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
}

function setView(view) {
  state.view = view;
  document.body.dataset.view = view;
  showViews();
  find("#views [aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  tell("view");
}

function goToMessage(channel, cursor, answers = false) {
  went({ room: channel, view: "log", at: String(cursor) });
  setView("log");
  if (channel === state.channel) goTo(cursor, answers);
  else open(channel, { cursor, answers }).catch(cannotOpen);
}

const cannotOpen = (error) => toast(`The room cannot be read: ${clean(error.message)}`, true);

/** Use a token that came with the address, if one did. */
function useToken() {
  const token = takeToken();
  if (token !== null) offered(token);
}

/** Go where the address says. */
function route() {
  useToken();
  const { room, view, at } = asked();
  const isOther = room && room !== state.channel;
  if (view && view !== state.view) setView(view);
  if (BESIDE.has(view)) find(`#${view} h2`).focus();
  find("#side").scrollTop = 0;
  if (isOther) open(room, at ? { cursor: at } : null).catch(cannotOpen);
  else if (at && state.view === "log") goToPlainly(at);
  seen();
}

/** What nothing tells of: who is there, and what another session of ours has acknowledged. */
function look() {
  if (state.connection !== "live") return;
  loadPeople();
  loadInbox();
  loadBoard();
}

function shown() {
  if (document.hidden) return;
  state.granted = false;
  tick();
  showTitle();
  seen();
  look();
}

function start() {
  find("#loading").remove();
  resume();
  useToken();
  setView(asked().view || "log");
  live.start(); // what it asks for is on its way while the rest is built
  buildLog();
  buildWriting();
  buildTimeline(goToMessage);
  buildSide(goToMessage);
  showAdmin();
  on("rooms", calmly(ROOMS_MS, showRooms));
  on("room", showAbout);
  on("room", showViews);
  on("connection", showConnection);
  on("inbox", showTitle);
  on("me", showMe);
  on("me", () => ["rooms", "board", "inbox", "people"].forEach(tell));
  showConnection();
  showMe();
  onTabs((topic) => topic === "inbox" && loadInbox());
  addEventListener("caucus:unknown", refuse);
  for (const one of document.querySelectorAll(".skip")) one.addEventListener("click", () => {
    setView("log");
    find(one.dataset.to)?.focus();
  });
  find("#help").addEventListener("click", help);
  addEventListener("hashchange", route);
  addEventListener("keydown", key);
  addEventListener("caucus:token", restart);
  addEventListener("caucus:lapse", loadBoard);
  addEventListener("caucus:acked", loadInbox);
  on("admin", showAdmin);
  document.addEventListener("visibilitychange", shown);
  setInterval(tick, 1000);
  setInterval(look, PEOPLE_MS);
  setInterval(lookFromAfar, ALIVE_MS);
}

start();
