// One person's session: which photo is open, what was done to it, and what becomes of it.

import { Stage } from "./canvas.js";
import { Drawing } from "./drawing.js";
import { KEYS, listen } from "./keys.js";
import { outlineOf } from "./mask.js";
import { Outbox } from "./outbox.js";
import * as panel from "./panel.js";
import { Pointer } from "./pointer.js";
import { Refused, pause, picture, post } from "./talk.js";

const NAME_PLACE = "edgeseg-label-who", BROWSER_PLACE = "edgeseg-label-browser";
const ALIVE_MS = 15_000, RETRY_MS = 1_000, DETAIL_AFTER_MS = 160, BUSY_AFTER_MS = 250;
const LARGEST_MASK_PX = 1_600, LARGEST_PICTURE_PX = 4_096;
const DECISIONS = ["accept", "skip", "reject"];
const WITH_PHOTO = [...DECISIONS, "undo", "redo"];

const byId = (id) => document.getElementById(id);
const person = { who: localStorage.getItem(NAME_PLACE) ?? "", browser: browserId(), over: false };
let photo = null; // as the server last told it
let expected = { done: 0, known: 0 }; // its strokes once all that waits is saved
let isDeciding = false, isProblem = false, isActive = true, isStopped = false;
let turn = 0; // grows whenever another photo is opened: what comes late for the last is dropped
let cross = null; // the crosshair in canvas pixels, while the keyboard draws
const decided = []; // photos of this session, the last one last

const stage = new Stage(byId("stage"), moved);
const drawing = new Drawing(stage, (stroke, time) => {
  stage.marks.push(stroke);
  expected = { done: expected.done + 1, known: expected.done + 1 };
  send("strokes", { stroke }, time);
});
const outbox = new Outbox({ saved, refused, changed });

// --- opening photos ---------------------------------------------------------------------------

const base = (more = {}) => ({ who: person.who, browser: person.browser, ...more });
const sides = () => Math.max(64, Math.ceil(Math.max(stage.canvas.width, stage.canvas.height)));
const pictureSide = () => Math.min(LARGEST_PICTURE_PX, sides());
const maskSide = () => Math.min(LARGEST_MASK_PX, sides());

/** Ask until there is an answer. */
async function insist(ask) {
  const busy = setTimeout(() => panel.showBusy(true), BUSY_AFTER_MS);
  try {
    for (;;) {
      try {
        const answer = await ask();
        changed({ waiting: outbox.waiting, trouble: null });
        return answer;
      } catch (error) {
        if (error instanceof Refused) throw error;
        changed({ waiting: outbox.waiting, trouble: error.message });
        await pause(RETRY_MS);
      }
    }
  } finally {
    clearTimeout(busy);
    panel.showBusy(false);
  }
}

async function open(path, body) {
  turn += 1;
  const mine = turn;
  try {
    const answer = await insist(() => post(path, body()));
    if (mine !== turn) return;
    person.over = false;
    await show(answer, mine);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 423) await otherName(error.message);
    else panel.showNotice("This did not work", error.message, "Try again", () => next());
  }
}

const next = () => open("/api/next", () => base({ side_px: maskSide(), ...(person.over && { over: true }) }));

async function show(answer, mine) {
  panel.showProgress(answer);
  isDeciding = false;
  isProblem = answer.problem !== null && answer.problem !== undefined;
  photo = answer.photo;
  panel.showPhoto(photo);
  byId("note").value = "";
  cross = null;
  if (!photo) {
    stage.clear();
    finished(answer.progress);
    refresh();
    return;
  }
  expected = { done: photo.strokes_done, known: photo.strokes_known };
  if (isProblem) {
    stage.clear();
    panel.showNotice("This photo cannot be shown", `${answer.problem}. Skip or reject it.`);
  } else {
    const path = `/api/photos/${photo.id}/picture?side_px=${pictureSide()}&of=${photo.sha256.slice(0, 12)}`;
    const bitmap = await insist(() => picture(path));
    if (mine !== turn) return;
    panel.showNotice();
    stage.show(photo, bitmap);
    showMask(answer.mask);
  }
  refresh();
  panel.tell(`Photo ${photo.name}.`);
}

function finished(progress) {
  if (progress.todo > 0) {
    panel.showNotice("Nothing free at the moment",
      `The other ${progress.todo} to do are with other people.`, "Look again", () => next());
  } else {
    const again = progress.skipped > 0;
    panel.showNotice("All photos are done",
      `${progress.accepted} accepted, ${progress.rejected} rejected, ${progress.skipped} skipped.`,
      again ? "Take up a skipped one" : "Look for more",
      () => (again ? open("/api/skipped", () => base({ side_px: maskSide() })) : next()));
  }
  panel.tell(byId("notice-title").textContent);
}

function showMask(mask) {
  const { path, area } = outlineOf(mask, photo);
  stage.outline = path;
  byId("stage").setAttribute("aria-label",
    `Photo ${photo.name}, ${Math.round(100 * area)} percent of it in the mask`);
}

// --- doing something to a photo -----------------------------------------------------------------

const canDraw = () => photo !== null && !isDeciding && !isProblem && !isStopped && stage.base !== null;

function send(verb, more = {}, time = null, strokes = expected.done - 1) {
  const body = base({ sha256: photo.sha256, strokes, side_px: maskSide(), ...more });
  const path = `/api/photos/${photo.id}/${verb}`;
  outbox.push({ path, verb, photo_id: photo.id, body, time, run: performance.timeOrigin });
  refresh();
}

function step(verb, by) {
  if (by < 0 && drawing.stepBack()) return;
  const done = expected.done + by;
  if (!canDraw() || done < 0 || done > expected.known) return;
  expected.done = done;
  send(verb, {}, null, done - by);
}

function decide(verb) {
  if (!photo || isDeciding || isStopped || (isProblem && verb === "accept")) return;
  if (drawing.isDrawing) {
    panel.tell("Finish or drop the stroke first.");
    return;
  }
  isDeciding = true;
  const note = byId("note").value.trim();
  send(verb, verb === "accept" || !note ? {} : { note }, null, expected.done);
  stage.canvas.focus({ preventScroll: true });
}

function back() {
  if (isDeciding || drawing.isDrawing || isStopped || outbox.waiting || decided.length === 0) return;
  const last = decided.pop();
  const body = () => base({
    sha256: last.sha256, strokes: 0, side_px: maskSide(), instead_of: photo ? photo.id : null,
  });
  open(`/api/photos/${last.id}/reopen`, body);
}

// --- what the server says -----------------------------------------------------------------------

function changed({ waiting, trouble }) {
  panel.showSaved(waiting, trouble);
}

function saved(action, answer) {
  if (!photo || action.photo_id !== photo.id || action.run !== performance.timeOrigin) return;
  if (DECISIONS.includes(action.verb)) {
    decided.push(answer.photo);
    panel.showProgress(answer);
    panel.tell(`Photo ${answer.photo.state}.`);
    next();
    return;
  }
  photo = answer.photo;
  if (action.verb === "strokes") stage.marks.shift();
  showMask(answer.mask);
  const { time } = action;
  stage.draw(() => {
    if (time !== null) performance.measure("stroke to mask", { start: time, end: performance.now() });
  });
  refresh();
}

async function refused(action, error, dropped) {
  if (photo && action.photo_id !== photo.id) return;
  stage.marks = [];
  isDeciding = true;
  refresh();
  const lost = dropped > 1 ? ` ${dropped} actions were not saved.` : " The last action was not saved.";
  if (error.status === 423) {
    await otherName(error.message);
    return;
  }
  const titles = { 409: "This photo is no longer yours", 412: "Changed in another window" };
  const isSame = error.status === 412;
  await panel.tellPlainly(titles[error.status] ?? "This was refused",
    `${sentence(error.message)}${lost}`, isSame ? "Show it as it is" : "Go on");
  await next();
}

async function otherName(problem) {
  const former = person.who;
  const given = await panel.askName(former, `${sentence(problem)} Give another name, or leave the other browser.`);
  await sitDown(given.who, given.over);
}

async function sitDown(who, over = false) {
  const held = photo;
  if (held && who !== person.who) {
    await post(`/api/photos/${held.id}/release`, base()).catch(() => {});
  }
  person.who = who;
  person.over = over;
  localStorage.setItem(NAME_PLACE, who);
  byId("person-name").textContent = who;
  await next();
}

async function signOfLife() {
  if (isStopped || !person.who || outbox.waiting || isDeciding) return;
  const mine = turn;
  const body = base({ photo: photo && !isProblem ? photo.id : null, active: isActive });
  isActive = false;
  try {
    const answer = await post("/api/alive", body);
    changed({ waiting: outbox.waiting, trouble: null });
    if (mine !== turn) return;
    panel.showProgress(answer);
    if (!photo && answer.progress.todo > 0) await next();
  } catch (error) {
    if (!(error instanceof Refused)) changed({ waiting: outbox.waiting, trouble: error.message });
    else if (mine === turn && !outbox.waiting && !document.querySelector("dialog[open]")) {
      await refused({ photo_id: photo ? photo.id : 0 }, error, 1);
    }
  }
}

// --- the view -----------------------------------------------------------------------------------

let detailTimer = 0;

function moved() {
  clearTimeout(detailTimer);
  detailTimer = setTimeout(fetchDetail, DETAIL_AFTER_MS);
  const percent = Math.round((100 * stage.scale) / (stage.photo ? stage.fittedScale : 1));
  byId("zoom-told").firstChild.textContent = stage.isFitted ? "Fit " : `${percent} % `;
}

/** More of the photo's own pixels where it is enlarged. */
async function fetchDetail() {
  const mine = turn;
  if (!photo || !stage.base || stage.isFitted || stage.base.width >= photo.width_px) {
    stage.detail = null;
    return;
  }
  const box = stage.visibleBox();
  const side = Math.min(pictureSide(), Math.max(box.right - box.left, box.bottom - box.top));
  const sent = `${box.left},${box.top},${box.right},${box.bottom}`;
  const path = `/api/photos/${photo.id}/picture?side_px=${Math.max(64, side)}&box=${sent}&of=${photo.sha256.slice(0, 12)}`;
  try {
    const bitmap = await picture(path);
    if (mine !== turn || stage.isFitted) return;
    stage.detail = { bitmap, box };
    stage.draw();
  } catch {
    // The photo stays as coarse as it is; the next move asks again.
  }
}

function pointAt(x, y, isCross) {
  stage.cursor = x === null ? null : {
    x, y, isCross,
    radius: drawing.radius,
    sign: drawing.tool === "move" ? "" : drawing.tool === "eraser" || !drawing.foreground ? "−" : "+",
    foreground: drawing.tool === "rectangle" || (drawing.tool !== "eraser" && drawing.foreground),
    isDown: drawing.isDown,
  };
  stage.draw();
}

function cursorAgain() {
  if (stage.cursor) pointAt(stage.cursor.x, stage.cursor.y, stage.cursor.isCross);
}

function moveCross([dx, dy], event) {
  if (drawing.tool === "move") {
    panBy([dx, dy]);
    return;
  }
  const { width, height } = stage.canvas;
  const at = cross ?? (stage.cursor ? [stage.cursor.x, stage.cursor.y] : [width / 2, height / 2]);
  const by = devicePixelRatio * (event.shiftKey ? 1 : event.repeat ? 18 : 8);
  const x = Math.min(width, Math.max(0, at[0] + dx * by)), y = Math.min(height, Math.max(0, at[1] + dy * by));
  drawing.move(x, y);
  const [px, py] = stage.reveal(x, y);
  cross = [x + px, y + py];
  pointAt(...cross, true);
}

function panBy([dx, dy]) {
  const by = -60 * devicePixelRatio;
  stage.pan(dx * by, dy * by);
}

function pen(event) {
  if (!canDraw() || drawing.tool === "move") return;
  cross ??= [stage.canvas.width / 2, stage.canvas.height / 2];
  if (drawing.isDown) {
    drawing.move(...cross);
    drawing.lift(event.timeStamp);
  } else {
    drawing.press(...cross, event.timeStamp);
    if (drawing.tool === "click") drawing.lift(event.timeStamp);
  }
  pointAt(...cross, true);
  panel.tell(drawing.isDown ? "Pen down." : "Pen up.");
}

function setTool(tool) {
  if (drawing.isDrawing) drawing.cancel();
  drawing.tool = tool;
  panel.press("tool-buttons", `tool-${tool}`);
  stage.canvas.dataset.tool = tool;
  cursorAgain();
}

function setMark(foreground) {
  drawing.foreground = foreground;
  panel.press("mark-buttons", foreground ? "mark-garment" : "mark-background");
  cursorAgain();
}

function setSize(size) {
  const input = byId("size");
  input.value = String(Math.round(size));
  drawing.size = Number(input.value);
  byId("size-told").textContent = `${input.value} px`;
  cursorAgain();
}

const VIEWS = ["outline", "cutout", "photo"];

function setView(view) {
  stage.view = view;
  panel.press("view-buttons", `view-${view}`);
  stage.draw();
}

function refresh() {
  panel.allow(WITH_PHOTO, canDraw());
  panel.allow(["skip", "reject"], photo !== null && !isDeciding && !isStopped);
  panel.allow(["undo"], canDraw() && expected.done > 0);
  panel.allow(["redo"], canDraw() && expected.done < expected.known);
  panel.allow(["back"], decided.length > 0 && !isDeciding && !isStopped);
}

// --- putting it together ------------------------------------------------------------------------

const zoomAt = (factor) => {
  stage.zoom(factor, ...(cross ?? [stage.canvas.width / 2, stage.canvas.height / 2]));
};

const commands = {
  undo: () => step("undo", -1),
  redo: () => step("redo", +1),
  note: () => byId("note").focus(),
  back,
  "mark-garment": () => setMark(true),
  "mark-background": () => setMark(false),
  "mark-swap": () => setMark(!drawing.foreground),
  "size-down": () => setSize(drawing.size / 1.25 - 1),
  "size-up": () => setSize(drawing.size * 1.25 + 1),
  "view-next": () => setView(VIEWS[(VIEWS.indexOf(stage.view) + 1) % VIEWS.length]),
  "zoom-in": () => zoomAt(1.4),
  "zoom-out": () => zoomAt(1 / 1.4),
  "zoom-fit": () => stage.fit(),
  cross: moveCross,
  pan: panBy,
  pen,
  close: (event) => drawing.close(event.timeStamp),
  cancel: () => drawing.cancel(),
  person: askPerson,
  keys: () => {
    byId("keys").open = !byId("keys").open;
    if (byId("keys").open) byId("keys").querySelector("summary").focus();
  },
};
for (const tool of ["click", "brush", "polygon", "rectangle", "eraser", "move"]) {
  commands[`tool-${tool}`] = () => setTool(tool);
}
for (const view of VIEWS) commands[`view-${view}`] = () => setView(view);
for (const verb of DECISIONS) commands[verb] = () => decide(verb);

async function askPerson() {
  const { who } = await panel.askName(person.who);
  if (who !== person.who) await sitDown(who);
}

/** The same browser in two tabs: the one that was opened last goes on. */
function takeOver() {
  const tabs = new BroadcastChannel("edgeseg-label");
  tabs.onmessage = async () => {
    isStopped = true;
    refresh();
    await panel.tellPlainly("Open in another tab", "You are labelling in another tab of this browser.", "Go on here");
    location.reload();
  };
  tabs.postMessage("here");
}

function browserId() {
  let id = localStorage.getItem(BROWSER_PLACE);
  if (!id) {
    id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(BROWSER_PLACE, id);
  }
  return id;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

async function start() {
  panel.listKeys(KEYS);
  byId("keys").open = matchMedia("(min-width: 900px)").matches;
  setTool("brush");
  setMark(true);
  setSize(24);
  setView("outline");
  refresh();
  const pointer = new Pointer(stage, drawing, { canDraw, moved: (x, y) => { cross = null; pointAt(x, y, false); } });
  listen(pointer.stage.canvas, commands, () => byId("letters").checked);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button) return;
    commands[button.dataset.do](event);
    // After a mouse the keys are the photo's again; who came by keyboard stays where they are.
    if (event.detail > 0) stage.canvas.focus({ preventScroll: true });
  });
  byId("person").addEventListener("click", askPerson);
  byId("size").addEventListener("input", (event) => setSize(Number(event.target.value)));
  for (const kind of ["pointerdown", "keydown", "wheel"]) {
    document.addEventListener(kind, () => { isActive = true; }, { passive: true });
  }
  addEventListener("online", () => outbox.hurry());
  takeOver();
  if (!person.who) person.who = (await panel.askName("")).who;
  // What a killed browser left unsent comes first: it may be about the photo that is opened next.
  if (outbox.waiting) await outbox.run();
  await sitDown(person.who);
  setInterval(signOfLife, ALIVE_MS);
}

start();
