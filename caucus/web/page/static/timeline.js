/** The picture of time: a lane for each agent, bars for what it held, points for what it found and asked. */

import { brief, button, clean, el, find, renew, svg } from "./dom.js";
import { fold } from "./lanes.js";
import { SHAPES } from "./message.js";
import { calmly, on, state } from "./state.js";
import { clockOf, dayOf, exactOf, now, span } from "./time.js";

const ZOOMS = [["15 min", 900], ["Hour", 3600], ["6 hours", 21_600], ["Day", 86_400], ["All", 0]];
/** The size of text, in pixels, that the picture is drawn for. */
const ROOT = 15;
const NAMES = 150;
const LANE = 34;
const BAR = 13;
const TOP = 26;
/** What a time takes, and what is left between bars for the mark of how one ended, in pixels. */
const LABEL = 76;
const MARK = 12;
/** Points closer than that, in pixels, are one with a number. */
const NEAR = 12;
const MOST_ROWS = 500;
/** So many bars are drawn. */
const MOST_BARS = 1500;
const ENDINGS = new Map(
  Object.entries({ released: ["", "released"], lapsed: ["×", "lapsed"], revoked: ["⊘", "freed by somebody else"],
    taken_over: ["⇄", "taken over"], handed_over: ["→", "handed over"], "": ["", "still held"] }),
);
/** Of what is drawn upon something that has a name. */
const UNREAD = { "aria-hidden": "true" };
const STEPS = [60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000];

let zoom = 0;
let back = 0;
let parts;
let goTo;

export function buildTimeline(going) {
  goTo = going;
  const zooms = ZOOMS.map(([label, seconds]) => button(label, () => look(seconds, 0), { "data-zoom": seconds, "aria-pressed": "false" }));
  const earlier = button("← Earlier", () => look(zoom, back + 1));
  const later = button("Later →", () => look(zoom, Math.max(0, back - 1)));
  parts = { zooms, earlier, later, told: el("p", { class: "quiet", role: "status" }), picture: el("div", { class: "picture", role: "region", "aria-label": "Picture of time: arrow keys lead through it", tabindex: "0" }), table: el("details", { class: "table" }),
    rows: el("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Timeline as a table" }) };
  parts.table.append(el("summary", {}, "The same as a table"), parts.rows);
  parts.table.addEventListener("toggle", draw);
  parts.picture.addEventListener("keydown", walk);
  find("#timeline").append(
    el("h2", {}, "Timeline"),
    el("div", { class: "row", role: "group", "aria-label": "Zoom" }, zooms, earlier, later),
    parts.told, parts.picture, legend(), parts.table,
  );
  const soon = calmly(1000, draw);
  on("log", soon);
  on("view", draw);
  new ResizeObserver(soon).observe(parts.picture);
  setInterval(() => document.visibilityState === "visible" && soon(), 15_000);
}

function look(seconds, steps) {
  zoom = seconds;
  back = seconds ? steps : 0;
  draw();
}

const STEPS_BY_KEY = new Map(Object.entries({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }));

/** The picture is one stop for the tabulator; arrows lead from one thing in it to the next. */
function walk(event) {
  const step = STEPS_BY_KEY.get(event.key);
  if (!step) return;
  event.preventDefault();
  const all = [...parts.picture.querySelectorAll("rect")];
  const at = all.indexOf(document.activeElement);
  all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))]?.focus();
}

function legend() {
  const points = ["finding", "question", "answer", "steer"].map((one) => el("span", {}, `${SHAPES.get(one)} ${one}`));
  const ends = [...ENDINGS].filter(([, [mark]]) => mark).map(([, [mark, word]]) => el("span", {}, `${mark} ${word}`));
  return el("p", { class: "legend" }, el("span", {}, "▬ held"), ends, points);
}

function draw() {
  if (state.view !== "timeline" || !state.log) return;
  const { log } = state;
  const until = now();
  const { lanes, bars, points } = fold(log.events, until);
  const times = [...bars.map((bar) => bar.start), ...points.map((point) => point.at)];
  const first = Math.min(until - 60_000, ...(times.length ? [times.reduce((one, other) => Math.min(one, other))] : []));
  const end = zoom ? until - back * zoom * 500 : until;
  const start = zoom ? end - zoom * 1000 : first - (until - first) * 0.02;
  const seen = {
    bars: bars.filter((bar) => bar.end >= start && bar.start <= end).slice(-MOST_BARS),
    points: points.filter((point) => point.at >= start && point.at <= end),
  };
  parts.zooms.forEach((one) => one.setAttribute("aria-pressed", String(Number(one.dataset.zoom) === zoom)));
  parts.earlier.disabled = !zoom || start <= first;
  parts.later.disabled = !zoom || !back;
  const isCut = seen.bars.length === MOST_BARS ? "the newest " : "";
  const told = lanes.length
    ? `${dayOf(start)} ${clockOf(start)} to ${dayOf(end) === dayOf(start) ? "" : dayOf(end)} ${clockOf(end)}: ${isCut}${seen.bars.length} claims, ${seen.points.length} findings, questions, answers and steers, by ${lanes.length} agents${log.isWhole ? "" : "; older messages are not in it"}`
    : "Nothing has happened yet.";
  if (parts.told.textContent !== told) parts.told.textContent = told;
  renew(parts.picture, () => [lanes.length && picture(lanes, seen, start, end, until)]);
  if (parts.table.open) table(seen, log);
}

/** Bars of one lane that overlap lie below each other. */
function stacked(bars, x) {
  const ends = [];
  return bars.map((bar) => {
    let level = ends.findIndex((end) => end <= x(bar.start));
    if (level < 0) level = ends.length;
    ends[level] = Math.max(x(bar.start) + 3, x(bar.end)) + MARK;
    return [bar, Math.min(level, 5)];
  }).map(([bar, level]) => ({ bar, level, levels: Math.min(ends.length, 6) }));
}

function picture(lanes, seen, start, end, until) {
  const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / ROOT;
  const width = Math.max(300, (parts.picture.clientWidth - 4) / scale);
  const names = width < 700 ? 96 : NAMES;
  const x = (at) => names + ((Math.min(end, Math.max(start, at)) - start) / (end - start || 1)) * (width - names - 14);
  const nodes = [];
  let y = TOP;
  for (const lane of lanes) {
    const placed = stacked(seen.bars.filter((bar) => bar.lane === lane), x);
    const height = Math.max(LANE, 18 + (placed[0]?.levels ?? 1) * (BAR + 3));
    nodes.push(svg("line", { x1: 0, x2: width, y1: y, y2: y, class: "rule" }));
    const [owner, ...rest] = lane.split("/");
    nodes.push(svg("text", { x: 4, y: y + 14, class: "lane" }, brief(owner, names / 8)));
    nodes.push(svg("text", { x: 4, y: y + 27, class: "lane quiet" }, brief(rest.join("/"), names / 7)));
    for (const { bar, level } of placed) nodes.push(barOf(bar, x, y + 16 + level * (BAR + 3), until));
    nodes.push(...pointsOf(seen.points.filter((point) => point.lane === lane), x, y + 11));
    y += height;
  }
  const told = `Who held what, and what was found, asked and steered, from ${exactOf(start)} to ${exactOf(end)}. The table below says the same.`;
  return svg("svg", { viewBox: `0 0 ${width} ${y + 4}`, width: width * scale, height: (y + 4) * scale, role: "group", "aria-label": told },
    axis(start, end, x, y), nodes);
}

function axis(start, end, x, bottom) {
  const most = Math.max(2, Math.floor((x(end) - x(start)) / LABEL));
  const step = STEPS.find((one) => (end - start) / 1000 / one <= most) ?? STEPS[STEPS.length - 1] * Math.ceil((end - start) / most / 2_592_000_000);
  const nodes = [];
  for (let at = Math.ceil(start / 1000 / step) * step * 1000; at <= end; at += step * 1000) {
    nodes.push(svg("line", { x1: x(at), x2: x(at), y1: TOP - 6, y2: bottom, class: "rule" }));
    if (x(at) + LABEL <= x(end) + 14) nodes.push(svg("text", { x: x(at) + 3, y: 14, class: "quiet" }, step >= 86_400 ? dayOf(at) : clockOf(at)));
  }
  return nodes;
}

function clickable(node, cursor, label, kind) {
  const go = () => goTo(state.channel, cursor);
  node.setAttribute("tabindex", "-1");
  node.setAttribute("role", "button");
  node.setAttribute("aria-label", label);
  node.dataset.key = `${cursor} ${kind}`;
  node.addEventListener("click", go);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    go();
  });
  return node;
}

function barOf(bar, x, y, until) {
  const [mark, word] = ENDINGS.get(bar.how);
  const from = x(bar.start);
  const width = Math.max(3, x(bar.end) - from);
  const target = brief(bar.target, 120);
  const label = `${target}, ${clean(bar.lane)}, from ${exactOf(bar.start)} for ${span(((bar.how ? bar.end : until) - bar.start) / 1000)}, ${word}`;
  const room = Math.floor((width - 8) / 6.5);
  const rect = svg("rect", { x: from, y, width, height: BAR, rx: 2 }, svg("title", {}, label));
  return svg("g", { class: `bar ${bar.how || "held"}` }, clickable(rect, bar.cursor, label, "bar"),
    room > 3 && svg("text", { x: from + 4, y: y + BAR - 3, ...UNREAD }, brief(bar.target, room)),
    mark && svg("text", { x: from + width - 2, y: y + BAR - 2, class: "mark", ...UNREAD }, mark));
}

function pointsOf(points, x, y) {
  const nodes = [];
  const last = new Map();
  for (const point of points) {
    const before = last.get(point.type);
    if (before && x(point.at) - before.x < NEAR) before.points.push(point);
    else {
      const group = { x: x(point.at), points: [point] };
      last.set(point.type, group);
      nodes.push(group);
    }
  }
  return nodes.map((group) => {
    const [one] = group.points;
    const more = group.points.length - 1;
    const label = `${one.type} at ${exactOf(one.at)}${more ? ` and ${more} more` : ""}: ${brief(one.body)}`;
    const text = SHAPES.get(one.type) + (more ? String(more + 1) : "");
    const rect = svg("rect", { x: group.x - NEAR / 2, y: y - 12, width: NEAR, height: 15 }, svg("title", {}, label));
    return svg("g", { class: "point" }, clickable(rect, one.cursor, label, "point"),
      svg("text", { x: group.x, y, class: `t-${one.type}`, "text-anchor": "middle", ...UNREAD }, text));
  });
}

function table(seen, log) {
  const rows = [
    ...seen.bars.map((bar) => [bar.start, "claim", bar.lane, bar.target, bar.how ? `${exactOf(bar.end)}, ${ENDINGS.get(bar.how)[1]}` : "still held", bar.cursor]),
    ...seen.points.map((point) => [point.at, point.type, point.lane, point.body, "", point.cursor]),
  ].sort(([one], [other]) => one - other);
  const shown = rows.slice(-MOST_ROWS);
  const head = ["When", "What", "Who", "On, or said", "Until", "Message"].map((one) => el("th", { scope: "col" }, one));
  const lines = shown.map(([at, kind, lane, text, until, cursor]) => el("tr", {},
    el("td", {}, exactOf(at)), el("td", {}, kind), el("td", {}, el("bdi", {}, clean(lane))), el("td", {}, el("bdi", {}, brief(text, 120))),
    el("td", {}, until), el("td", {}, button(`#${cursor}`, () => goTo(log.channel, cursor), { class: "link", "data-key": `${cursor} ${kind}`, "aria-label": `Show message ${cursor}` }))));
  const left = rows.length - shown.length;
  renew(parts.rows, () => [
    left > 0 && el("p", { class: "quiet" }, `The newest ${MOST_ROWS}; zoom to see the ${left} before them.`),
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines))]);
}
