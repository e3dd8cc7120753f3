/** The one stream of all rooms: kept up, resumed where it ended, given up while nobody looks. */

import { pause } from "./dom.js";
import { state, tell } from "./state.js";
import { Refused, get, query, stream } from "./wire.js";

const FIRST_WAIT = 300;
const LONGEST_WAIT = 8000;
/** After these there is no use in asking again: a token is needed, or this is not where the server is to be asked. */
const FINAL = new Set([401, 403, 421]);

/**
 * @param hooks `begin(signal)` loads everything anew, `event(event)` takes what happened, and `refused(error)` is told
 *   that no stream is to be had.
 */
export class Live {
  #hooks;
  #position = "";
  #running = null;
  #wake = () => {};

  constructor(hooks) {
    this.#hooks = hooks;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#hide() : this.start()));
    addEventListener("online", () => this.#wake());
  }

  start() {
    if (this.#running || document.hidden) return;
    this.#running = new AbortController();
    this.#run(this.#running);
  }

  /** End it; what began with another token has a place of its own. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#position = "";
  }

  #hide() {
    this.#running?.abort();
    this.#running = null;
    this.#show("paused");
  }

  #show(connection) {
    state.connection = connection;
    tell("connection");
  }

  async #run(run) {
    let wait = FIRST_WAIT;
    while (!run.signal.aborted) {
      try {
        if (!this.#position) {
          const { since } = await get(`feed?${query([["limit", "1"]])}`);
          await this.#hooks.begin(run.signal);
          if (run.signal.aborted) return;
          this.#position = since;
        }
        let isReset = false;
        for await (const frame of stream(`feed?${query([["since", this.#position]])}`, run.signal)) {
          if (run.signal.aborted) return;
          isReset = frame.event === "reset";
          if (isReset) break;
          if (state.connection !== "live") this.#show("live");
          wait = FIRST_WAIT;
          if (frame.data) this.#hooks.event(JSON.parse(frame.data));
          if (frame.id) this.#position = frame.id;
        }
        if (isReset) {
          this.#position = "";
          continue;
        }
      } catch (error) {
        if (run.signal.aborted) return;
        if (error instanceof Refused && FINAL.has(error.status)) {
          this.#running = null;
          this.#show("refused");
          this.#hooks.refused(error);
          return;
        }
      }
      if (run.signal.aborted) return;
      this.#show("away");
      await Promise.race([pause(wait * (0.7 + 0.6 * Math.random())), new Promise((done) => (this.#wake = done))]);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    }
  }
}
