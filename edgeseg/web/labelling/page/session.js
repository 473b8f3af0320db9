// One person's session: which photo is open, what was done to it, and what becomes of it.

import { browserId, onOtherTab } from "./browser.js";
import { outlineOf } from "./mask.js";
import { Outbox } from "./outbox.js";
import * as panel from "./panel.js";
import { Refused, pause, picture, post } from "./talk.js";

const NAME_PLACE = "edgeseg-label-who";
const ALIVE_MS = 15_000, RETRY_MS = 1_000, BUSY_AFTER_MS = 250;
const LARGEST_MASK_PX = 1_600, LARGEST_PICTURE_PX = 4_096;
const byId = (id) => document.getElementById(id);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

export const DECISIONS = ["accept", "skip", "reject"];

export class Session {
  #who = localStorage.getItem(NAME_PLACE) ?? "";
  #over = false; // the name is to be taken from another browser
  #browser = browserId();
  #expected = { done: 0, known: 0 }; // strokes once all that waits is saved
  #isDeciding = false;
  #isProblem = false;
  #decided = []; // photos of this session, the last one last

  /** @param stage; @param drawing: what shows the photo, and what is drawn on it. */
  constructor(stage, drawing) {
    this.stage = stage;
    this.drawing = drawing;
    this.photo = null; // as the server last told it
    this.turn = 0; // grows with each photo: what comes late for the last one is dropped
    this.isStopped = false;
    this.isActive = true; // whether anything was done since the last sign of life
    this.outbox = new Outbox({
      saved: (...told) => this.#saved(...told),
      refused: (...told) => this.#refused(...told),
      changed: (told) => panel.showSaved(told.waiting, told.trouble),
    });
  }

  async start() {
    this.refresh();
    onOtherTab(async () => {
      this.isStopped = true;
      this.outbox.stop();
      this.refresh();
      await panel.tellPlainly("Open in another tab", "You are labelling in another tab of this browser.", "Go on here");
      location.reload();
    });
    if (!this.#who) this.#who = (await panel.askName("")).who;
    // What a killed browser left unsent comes first: it may be about the photo that is opened next.
    if (this.outbox.waiting) await this.outbox.run();
    await this.#sitDown(this.#who);
    setInterval(() => this.#signOfLife(), ALIVE_MS);
  }

  // --- opening photos ---------------------------------------------------------------------------

  pictureSide() {
    return Math.min(LARGEST_PICTURE_PX, this.#side());
  }

  /** The address of a picture of the photo, or of a part of it. */
  pictureOf(side_px, box = "") {
    const { id, sha256 } = this.photo;
    return `/api/photos/${id}/picture?side_px=${side_px}&of=${sha256.slice(0, 12)}${box && `&box=${box}`}`;
  }

  next() {
    return this.#open("/api/next", () => this.#told(this.#over ? { over: true } : {}));
  }

  /** Take up the photo again that was decided last. */
  back() {
    if (this.#isDeciding || this.drawing.isDrawing || this.isStopped || this.outbox.waiting) return;
    const last = this.#decided.pop();
    if (!last) return;
    const instead_of = this.photo ? this.photo.id : null;
    this.#open(`/api/photos/${last.id}/reopen`, () => this.#told({ sha256: last.sha256, strokes: 0, instead_of }));
  }

  #side() {
    return Math.max(64, Math.ceil(Math.max(this.stage.canvas.width, this.stage.canvas.height)));
  }

  #told(more) {
    return { ...this.#person(), side_px: Math.min(LARGEST_MASK_PX, this.#side()), ...more };
  }

  #person() {
    return { who: this.#who, browser: this.#browser };
  }

  /** Ask until there is an answer. */
  async #insist(ask) {
    const busy = setTimeout(() => panel.showBusy(true), BUSY_AFTER_MS);
    try {
      for (;;) {
        try {
          const answer = await ask();
          panel.showSaved(this.outbox.waiting, null);
          return answer;
        } catch (error) {
          if (error instanceof Refused) throw error;
          panel.showSaved(this.outbox.waiting, error.message);
          await pause(RETRY_MS);
        }
      }
    } finally {
      clearTimeout(busy);
      panel.showBusy(false);
    }
  }

  async #open(path, body) {
    this.turn += 1;
    const mine = this.turn;
    try {
      const answer = await this.#insist(() => post(path, body()));
      if (mine !== this.turn) return;
      this.#over = false;
      await this.#show(answer, mine);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 423) await this.#otherName(error.message);
      else panel.showNotice("This did not work", sentence(error.message), "Go on", () => this.next());
    }
  }

  async #show(answer, mine) {
    const { photo } = answer;
    panel.showProgress(answer);
    panel.showPhoto(photo);
    byId("note").value = "";
    this.photo = photo;
    this.#isDeciding = false;
    this.#isProblem = Boolean(answer.problem);
    this.stage.clear();
    if (!photo) {
      this.#showFinished(answer.progress);
    } else {
      this.#expected = { done: photo.strokes_done, known: photo.strokes_known };
      if (answer.problem) {
        panel.showNotice("This photo cannot be shown", `${sentence(answer.problem)} Skip or reject it.`);
      } else {
        const bitmap = await this.#insist(() => picture(this.pictureOf(this.pictureSide())));
        if (mine !== this.turn) return;
        panel.showNotice();
        this.stage.show(photo, bitmap);
        this.#showMask(answer.mask);
      }
      panel.tell(`Photo ${photo.name}.`);
    }
    this.refresh();
  }

  #showFinished(progress) {
    if (progress.todo > 0) {
      panel.showNotice("Nothing free at the moment",
        `The other ${progress.todo} to do are with other people.`, "Look again", () => this.next());
    } else {
      const again = progress.skipped > 0;
      panel.showNotice("All photos are done",
        `${progress.accepted} accepted, ${progress.rejected} rejected, ${progress.skipped} skipped.`,
        again ? "Take up a skipped one" : "Look for more",
        () => (again ? this.#open("/api/skipped", () => this.#told({})) : this.next()));
    }
    panel.tell(byId("notice-title").textContent);
  }

  #showMask(mask) {
    const { path, area } = outlineOf(mask, this.photo);
    this.stage.outline = path;
    byId("stage").setAttribute("aria-label",
      `Photo ${this.photo.name}, ${Math.round(100 * area)} percent of it in the mask`);
  }

  // --- doing something to a photo ---------------------------------------------------------------

  canDraw() {
    return this.photo !== null && !this.#isDeciding && !this.#isProblem && !this.isStopped && this.stage.base !== null;
  }

  stroke(stroke, time) {
    this.stage.marks.push(stroke);
    const { done } = this.#expected;
    this.#expected = { done: done + 1, known: done + 1 };
    this.#send("strokes", done, { stroke }, time);
  }

  undo() {
    if (!this.drawing.stepBack()) this.#step("undo", -1);
  }

  redo() {
    this.#step("redo", +1);
  }

  decide(verb) {
    if (!this.photo || this.#isDeciding || this.isStopped || (verb === "accept" && !this.canDraw())) return;
    if (this.drawing.isDrawing) {
      panel.tell("Finish or drop the stroke first.");
      return;
    }
    this.#isDeciding = true;
    const note = byId("note").value.trim();
    this.#send(verb, this.#expected.done, verb === "accept" || !note ? {} : { note });
  }

  #step(verb, by) {
    const { done, known } = this.#expected;
    if (!this.canDraw() || done + by < 0 || done + by > known) return;
    this.#expected = { done: done + by, known };
    this.#send(verb, done);
  }

  /** Send an action, done upon so many strokes. */
  #send(verb, strokes, more = {}, time = null) {
    const { id, sha256 } = this.photo;
    const body = this.#told({ sha256, strokes, ...more });
    this.outbox.push({ path: `/api/photos/${id}/${verb}`, verb, photo_id: id, body, time, run: performance.timeOrigin });
    this.refresh();
  }

  /** Which buttons may be pressed. */
  refresh() {
    const canDraw = this.canDraw(), { done, known } = this.#expected;
    panel.allow(["accept"], canDraw);
    panel.allow(["skip", "reject"], this.photo !== null && !this.#isDeciding && !this.isStopped);
    panel.allow(["undo"], canDraw && done > 0);
    panel.allow(["redo"], canDraw && done < known);
    panel.allow(["back"], this.#decided.length > 0 && !this.#isDeciding && !this.isStopped);
  }

  // --- what the server says ---------------------------------------------------------------------

  #saved(action, answer) {
    if (!this.photo || action.photo_id !== this.photo.id || action.run !== performance.timeOrigin) return;
    if (DECISIONS.includes(action.verb)) {
      this.#decided.push(answer.photo);
      panel.showProgress(answer);
      panel.tell(`Photo ${answer.photo.state}.`);
      this.next();
      return;
    }
    this.photo = answer.photo;
    if (action.verb === "strokes") this.stage.marks.shift();
    this.#showMask(answer.mask);
    const { time } = action;
    this.stage.draw(() => {
      if (time !== null) performance.measure("stroke to mask", { start: time, end: performance.now() });
    });
    this.refresh();
  }

  async #refused(action, error, dropped) {
    if (this.photo && action.photo_id !== this.photo.id) return;
    this.stage.marks = [];
    this.#isDeciding = true;
    this.refresh();
    if (error.status === 423) {
      await this.#otherName(error.message);
      return;
    }
    const titles = { 409: "This photo is no longer yours", 412: "Changed in another window" };
    const lost = dropped === 0 ? "" : dropped === 1 ? " The last action was not saved." : ` The last ${dropped} actions were not saved.`;
    await panel.tellPlainly(titles[error.status] ?? "This was refused", `${sentence(error.message)}${lost}`,
      error.status === 412 ? "Show it as it is" : "Go on");
    await this.next();
  }

  async #signOfLife() {
    if (this.isStopped || this.outbox.waiting || this.#isDeciding || document.querySelector("dialog[open]")) return;
    const mine = this.turn;
    const body = { ...this.#person(), photo: this.photo ? this.photo.id : null, active: this.isActive };
    this.isActive = false;
    try {
      const answer = await post("/api/alive", body);
      panel.showSaved(this.outbox.waiting, null);
      if (mine !== this.turn) return;
      panel.showProgress(answer);
      if (!this.photo && answer.progress.todo > 0) await this.next();
    } catch (error) {
      if (!(error instanceof Refused)) panel.showSaved(this.outbox.waiting, error.message);
      else if (mine === this.turn && !this.outbox.waiting && !this.#isDeciding) {
        await this.#refused({ photo_id: this.photo ? this.photo.id : 0 }, error, 0);
      }
    }
  }

  // --- who --------------------------------------------------------------------------------------

  async askPerson() {
    const { who } = await panel.askName(this.#who);
    if (who !== this.#who) await this.#sitDown(who);
  }

  async #otherName(problem) {
    const given = await panel.askName(this.#who, `${sentence(problem)} Give another name, or leave the other browser.`);
    await this.#sitDown(given.who, given.over);
  }

  async #sitDown(who, over = false) {
    // The photo of the former name goes to the next person at once.
    if (this.photo && who !== this.#who) {
      await post(`/api/photos/${this.photo.id}/release`, this.#person()).catch(() => {});
    }
    this.#who = who;
    this.#over = over;
    localStorage.setItem(NAME_PLACE, who);
    byId("person-name").textContent = who;
    await this.next();
  }
}
