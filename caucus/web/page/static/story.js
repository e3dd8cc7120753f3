/** The story of a room, to take away: as Markdown, as `caucus catchup --markdown` tells it, and as JSON Lines. */

import { clean, trimLines } from "./dom.js";
import { span } from "./time.js";
import { at, get, query } from "./wire.js";

const SPECIAL = /([\\`*_{}[\]()<>#|~!&$]|:(?=\/\/)|(?<=www)\.)/gi;
const BRIEF = 160;
const PAGE = "500";
const SUMMARY = "*To be written: what happened, whom it hit and for how long, why, and what follows.*";

const flat = (text) => clean(text).replace(/\s+/g, " ").trim();

/** Somebody's words within a line: nothing in them is Markdown or HTML. */
const inline = (text) =>
  flat(text).replace(SPECIAL, "\\$1").replace(/^(\d*)([-+=.])/, "$1\\$2").replaceAll("@", "<span>@</span>");

const ticks = (text) => Math.max(0, ...(text.match(/`+/g) ?? []).map((one) => one.length));

function block(text, indent = "  ") {
  const shown = trimLines(clean(text));
  if (!shown.includes("\n")) return ` ${inline(shown)}`;
  const fence = "`".repeat(Math.max(3, 1 + ticks(shown)));
  return `\n\n${[`${fence}text`, ...shown.split("\n"), fence].map((line) => indent + line).join("\n")}\n`;
}

function code(text) {
  const fence = "`".repeat(1 + ticks(flat(text)));
  const pad = flat(text).includes("`") ? " " : "";
  return fence + pad + flat(text) + pad + fence;
}

function when(stamp) {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(stamp ?? "");
  return found ? `${found[1]} ${found[2]}` : inline(stamp);
}

const who = (one) => `${inline(one.owner)}/${inline(one.agent_id)}`;
const names = (one) => (one.to?.length ? ` to ${one.to.map(inline).join(", ")}` : "");
const number = (one) => ` \\[${one.cursor}\\]`;

function brief(text) {
  const [first, ...more] = trimLines(clean(text)).split("\n");
  const points = [...first];
  const cut = points.length <= BRIEF ? first : points.slice(0, BRIEF - 1).join("") + "…";
  return inline(cut) + (more.length ? ` (and ${more.length} lines more)` : "");
}

const line = (one, state = "") =>
  `- **${when(one.ts)}** ${who(one)}${names(one)}${state}${one.artifact === undefined ? "" : ` with ${code(one.artifact)}`}${number(one)}:${block(one.body)}`;

function questions(messages) {
  const answers = new Map();
  for (const one of messages) if (one.reply_to) answers.set(one.reply_to, [...(answers.get(one.reply_to) ?? []), one]);
  return messages.filter((one) => one.type === "question").flatMap((one) => {
    const found = answers.get(one.msg_id) ?? [];
    const open = found.length || one.status === "resolved" ? "" : ", **open**";
    return [line(one, open), ...found.map((each) => `  - **${when(each.ts)}** ${who(each)}:${block(each.body, "    ")}`)];
  });
}

function work(messages) {
  const open = new Map();
  const lines = [];
  for (const one of messages) {
    if (one.type !== "claim" || one.target === undefined) continue;
    const before = open.get(one.target);
    const from = before && `- ${code(one.target)} ${who(before)} from ${when(before.ts)}`;
    open.delete(one.target);
    if (one.status === "resolved") {
      if (before) lines.push(`${from} until ${when(one.ts)}, ${brief(before.body)}; ended by ${who(one)}: ${brief(one.body)}`);
      continue;
    }
    if (before && who(before) !== who(one)) lines.push(`${from} until ${when(one.ts)}, then ${who(one)}`);
    open.set(one.target, before && who(before) === who(one) ? before : one);
  }
  return [...lines, ...[...open].map(([target, one]) =>
    `- ${code(target)} ${who(one)} from ${when(one.ts)}, and still when this was made, ${brief(one.body)}`)];
}

function held(one) {
  const lasts = one.expires_in === null ? "no end" : `${span(one.expires_in)} left`;
  const state = one.state === "waiting" ? `waits, ${one.ahead} ahead` : lasts;
  return `- ${one.targets.map(code).join(", ")} ${who(one)}, ${state}:${block(one.note)}`;
}

function people(messages) {
  const counted = new Map();
  for (const one of messages) {
    const key = JSON.stringify([one.owner, one.agent_id]);
    if (one.owner !== "caucus") counted.set(key, { one, count: (counted.get(key)?.count ?? 0) + 1 });
  }
  return [...counted.values()].sort((one, other) => other.count - one.count)
    .map(({ one, count }) => `- ${who(one)}, ${count} ${count === 1 ? "post" : "posts"}`);
}

const told = (one) =>
  `- **${when(one.ts)}** ${inline(one.type)}${one.status ? `, ${inline(one.status)}` : ""} ${who(one)}${names(one)}${one.target ? ` on ${code(one.target)}` : ""}${number(one)}: ${brief(one.body)}`;

/** The first draft of a post-mortem, of a room's descriptor, its messages with their cursors, and its claims. */
function markdown({ channel, messages, claims }) {
  const saidAs = (type) => messages.filter((one) => one.type === type).map((one) => line(one));
  const made = `Made by ${inline(channel.created_by)} at ${when(channel.created_ts)}.`;
  const posts = messages.length ? ` ${messages.length} posts from ${when(messages[0].ts)} to ${when(messages.at(-1).ts)}.` : "";
  const sections = [
    ["Findings", saidAs("finding")], ["Decisions", saidAs("steer")], ["Questions", questions(messages)], ["Work", work(messages)],
    ["Still held", claims.map(held)],
    ["Evidence", messages.filter((one) => one.artifact !== undefined).map((one) => `- ${code(one.artifact)} **${when(one.ts)}** ${who(one)}: ${brief(one.body)}`)],
    ["Who took part", people(messages)], ["Timeline", messages.map(told)],
  ];
  return [
    `# ${inline(channel.channel)}`, ...(channel.purpose ? [inline(channel.purpose)] : []), `${made}${posts} Times are in UTC.`,
    `## Summary\n\n${SUMMARY}`,
    ...sections.map(([title, lines]) => [title, lines.join("\n")]).filter(([, text]) => text).map(([title, text]) => `## ${title}\n\n${text}`),
  ].join("\n\n");
}

/** All of a room, from its beginning, page by page: `{channel, events, claims}`. */
export async function whole(name) {
  const channel = await get(at("channels", name));
  const events = [];
  for (let since = ""; events.length < channel.head; ) {
    const page = await get(`feed?${query([["room", since ? name : `${name}:0`], ["since", since], ["limit", PAGE]])}`);
    events.push(...page.events.filter((one) => one.message));
    if (!page.events.length) break;
    since = page.since;
  }
  const { claims } = await get(at("channels", name, "claims"));
  return { channel, events, claims };
}

const withCursors = (events) => events.map(({ message, cursor }) => ({ ...message, cursor }));

export const asMarkdown = ({ channel, events, claims }) => markdown({ channel, messages: withCursors(events), claims }) + "\n";

/** A line for each event: its cursor, its message, and what became of a claim by it. */
export const asLines = ({ events }) => events.map(({ channel, cursor, message, change }) =>
  JSON.stringify({ channel, cursor, message, ...(change && { change }) }) + "\n").join("");
