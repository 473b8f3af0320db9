// What was done and is not yet known to be saved: kept in the browser, sent in order, sent again
// until the server has it. Each action says how many strokes it was done upon, so that one which
// arrives twice is done once.

import { Refused, pause, post } from "./talk.js";

const PLACE = "edgeseg-label-outbox";
const FIRST_WAIT_MS = 300, LONGEST_WAIT_MS = 3_000;

export class Outbox {
  #actions = [];
  #running = false;
  #wake = () => {};

  /**
   * @param on {saved(action, answer), refused(action, error), changed(state)}: changed is told
   *     {waiting: number, trouble: string | null}.
   */
  constructor(on) {
    this.on = on;
    try {
      this.#actions = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    } catch {
      this.#actions = [];
    }
  }

  get waiting() {
    return this.#actions.length;
  }

  /** Send an action: {path, body, ...} with whatever else its sender wants back. */
  push(action) {
    this.#actions.push(action);
    this.#keep();
    this.on.changed({ waiting: this.waiting, trouble: null });
    this.run();
  }

  /** Send what waits, until nothing does. */
  async run() {
    if (this.#running) return;
    this.#running = true;
    let wait_ms = FIRST_WAIT_MS;
    while (this.#actions.length > 0) {
      const action = this.#actions[0];
      try {
        const answer = await post(action.path, action.body);
        wait_ms = FIRST_WAIT_MS;
        if (this.#actions[0] !== action) break; // stopped meanwhile
        this.#actions.shift();
        this.#keep();
        this.on.changed({ waiting: this.waiting, trouble: null });
        this.on.saved(action, answer);
      } catch (error) {
        if (error instanceof Refused) {
          // What comes after was done upon it.
          const dropped = this.#actions.length;
          this.#actions = [];
          this.#keep();
          this.on.changed({ waiting: 0, trouble: null });
          this.on.refused(action, error, dropped);
          continue;
        }
        this.on.changed({ waiting: this.waiting, trouble: error.message });
        await Promise.race([pause(wait_ms), new Promise((resolve) => { this.#wake = resolve; })]);
        wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_MS);
      }
    }
    this.#running = false;
  }

  /** Send no more: another tab of this browser does. */
  stop() {
    this.#actions = [];
  }

  /** Try again now. */
  hurry() {
    this.#wake();
  }

  #keep() {
    try {
      if (this.#actions.length > 0) localStorage.setItem(PLACE, JSON.stringify(this.#actions));
      else localStorage.removeItem(PLACE);
    } catch {
      // A full or forbidden storage: the actions are still in memory, and are sent.
    }
  }
}
