/** The page: puts its parts together, and goes where the address says. */

import { asked, addressOf, go, takeToken } from "./address.js";
import { showAdmin } from "./admin.js";
import { clean, el, find, toast } from "./dom.js";
import { help, key } from "./keys.js";
import { Live } from "./live.js";
import { load, loadBoard, loadInbox, loadPeople, open, stayAlive, take } from "./loading.js";
import { buildLog, goTo, seen } from "./log_view.js";
import { showAbout, showRooms } from "./rooms.js";
import { keep, showForm, showMe } from "./session.js";
import { showSide } from "./side.js";
import { calmly, on, state, tell } from "./state.js";
import { tick } from "./time.js";
import { buildTimeline } from "./timeline.js";
import { isToken } from "./wire.js";
import { buildWriting } from "./writing.js";

const ROOMS_MS = 200;
const PEOPLE_MS = 15_000;
const ALIVE_MS = 60_000;
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

function goToMessage(channel, cursor) {
  go({ room: channel, view: "log" });
  setView("log");
  if (channel === state.channel) goTo(cursor);
  else open(channel, cursor).catch(cannotOpen);
}

const cannotOpen = (error) => toast(`The room cannot be read: ${clean(error.message)}`, true);

/** Use a token that came with the address, if one did. */
function useToken() {
  const token = takeToken();
  if (token !== null) keep(isToken(token) ? token : "");
  return token !== null;
}

function route() {
  if (useToken()) {
    restart();
    return;
  }
  const { room, view } = asked();
  setView(view || state.view);
  if (room && room !== state.channel) {
    if (state.rooms.has(room)) open(room).catch(cannotOpen);
    else if (state.rooms.size) toast(`There is no room ${clean(room)}.`, true);
  }
  seen();
}

/** What nothing tells of: who is there, and what another session of ours has acknowledged. */
function look() {
  if (state.connection !== "live") return;
  loadPeople();
  loadInbox();
}

function shown() {
  if (document.hidden) return;
  tick();
  seen();
  loadBoard();
  look();
}

function start() {
  useToken();
  buildLog();
  buildWriting();
  buildTimeline(goToMessage);
  showSide(goToMessage);
  showAdmin();
  on("rooms", calmly(ROOMS_MS, showRooms));
  on("room", showAbout);
  on("room", showViews);
  on("connection", showConnection);
  on("me", showMe);
  on("me", () => ["rooms", "board", "inbox", "people"].forEach(tell));
  showConnection();
  find("#help").addEventListener("click", help);
  addEventListener("hashchange", route);
  addEventListener("keydown", key);
  addEventListener("caucus:token", restart);
  document.addEventListener("visibilitychange", shown);
  setInterval(tick, 1000);
  setInterval(look, PEOPLE_MS);
  setInterval(stayAlive, ALIVE_MS);
  setView(asked().view || "log");
  live.start();
}

start();
