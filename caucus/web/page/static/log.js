/** The log of one room, as far as it is here: the newest events without a gap, and what refers to what. */

/** So many messages are kept, or so many characters of them: what is older is in the export. */
const MOST = 20_000;
const MOST_CHARACTERS = 30_000_000;
/** So many are let go of at a time. */
const SPARE = 1000;

export class Log {
  constructor(channel) {
    this.channel = channel;
    this.events = [];
    this.size = 0;
    /** Whether its first message is here; and whether no more of what is before is to come. */
    this.isWhole = false;
    this.isDone = false;
    this.isBegun = false;
    /** What was said while the first of it was on its way. */
    this.early = [];
    this.byId = new Map();
    this.answers = new Map();
  }

  get first() {
    return this.events.length ? this.events[0].cursor : 0;
  }

  get last() {
    return this.events.length ? this.events[this.events.length - 1].cursor : 0;
  }

  get isFull() {
    return this.events.length >= MOST || this.size >= MOST_CHARACTERS;
  }

  at(cursor) {
    return this.events[cursor - this.first];
  }

  /** Take the newest that there were when it was asked for, and what was said since. */
  begin(newest) {
    this.isBegun = true;
    this.append(newest);
    this.append(this.early);
    this.early = [];
  }

  /** Take what follows; false if there is a gap before it. What is here already is left alone. */
  append(events) {
    for (const event of events) {
      if (event.cursor <= this.last) continue;
      if (this.events.length && event.cursor !== this.last + 1) return false;
      this.events.push(event);
      this.#know(event);
    }
    if (this.events.length > MOST + SPARE || this.size > 1.2 * MOST_CHARACTERS) this.#forget(SPARE);
    return true;
  }

  /** Take what is before. */
  prepend(events) {
    const older = events.filter((event) => event.cursor < this.first);
    if (older.length && older[older.length - 1].cursor !== this.first - 1) return;
    this.events = [...older, ...this.events];
    older.forEach((event) => this.#know(event));
    for (const answers of this.answers.values()) answers.sort((one, other) => one - other);
  }

  /** The message that a reply is to, or none. */
  repliedTo(message) {
    return message.reply_to ? this.byId.get(message.reply_to) : undefined;
  }

  answersTo(message) {
    return this.answers.get(message.msg_id) ?? [];
  }

  #know(event) {
    const { message } = event;
    event.text = `${message.body} ${message.target ?? ""} ${message.owner} ${message.agent_id}`.toLowerCase();
    this.size += event.text.length + message.body.length;
    const before = this.byId.get(message.msg_id);
    if (!before || event.cursor < before.cursor) this.byId.set(message.msg_id, event);
    if (message.reply_to) {
      const answers = this.answers.get(message.reply_to);
      if (answers) answers.push(event.cursor);
      else this.answers.set(message.reply_to, [event.cursor]);
    }
  }

  #forget(count) {
    this.isWhole = false;
    for (const { message, text } of this.events.splice(0, count)) {
      this.size -= text.length + message.body.length;
      this.byId.delete(message.msg_id);
      this.answers.delete(message.msg_id);
    }
  }
}
