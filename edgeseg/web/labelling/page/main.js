// Puts the page together: photo, pen, keys and buttons, and the session behind them.

import { Stage } from "./canvas.js";
import { Drawing } from "./drawing.js";
import { KEYS, listen } from "./keys.js";
import * as panel from "./panel.js";
import { Pointer } from "./pointer.js";
import { DECISIONS, Session } from "./session.js";
import { picture } from "./talk.js";

const DETAIL_AFTER_MS = 160;
const TOOLS = ["click", "brush", "polygon", "rectangle", "eraser", "move"];
const VIEWS = ["outline", "cutout", "photo"];
const byId = (id) => document.getElementById(id);

const stage = new Stage(byId("stage"), moved);
const drawing = new Drawing(stage, (stroke, time) => session.stroke(stroke, time));
const session = new Session(stage, drawing);

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
  if (!stage.base || stage.isFitted || stage.base.width >= stage.photo.width_px) {
    stage.detail = null;
    return;
  }
  const { turn } = session;
  const box = stage.visibleBox();
  const side_px = Math.min(session.pictureSide(), Math.max(64, box.right - box.left, box.bottom - box.top));
  try {
    const bitmap = await picture(session.pictureOf(side_px, `${box.left},${box.top},${box.right},${box.bottom}`));
    if (turn !== session.turn || stage.isFitted) return;
    stage.detail = { bitmap, box };
    stage.draw();
  } catch {
    // The photo stays as coarse as it is; the next move asks again.
  }
}

// --- the crosshair: a pointer for the keyboard --------------------------------------------------

let cross = null; // in canvas pixels, while the keyboard draws

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
  if (!session.canDraw() || drawing.tool === "move") return;
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

// --- tool, mark, size, view -----------------------------------------------------------------------

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

function setView(view) {
  stage.view = view;
  panel.press("view-buttons", `view-${view}`);
  stage.draw();
}

// --- commands: what keys and buttons do -----------------------------------------------------------

const zoomBy = (factor) => stage.zoom(factor, ...(cross ?? [stage.canvas.width / 2, stage.canvas.height / 2]));

const commands = {
  undo: () => session.undo(),
  redo: () => session.redo(),
  back: () => session.back(),
  note: () => byId("note").focus(),
  "mark-garment": () => setMark(true),
  "mark-background": () => setMark(false),
  "mark-swap": () => setMark(!drawing.foreground),
  "size-down": () => setSize(drawing.size / 1.25 - 1),
  "size-up": () => setSize(drawing.size * 1.25 + 1),
  "view-next": () => setView(VIEWS[(VIEWS.indexOf(stage.view) + 1) % VIEWS.length]),
  "zoom-in": () => zoomBy(1.4),
  "zoom-out": () => zoomBy(1 / 1.4),
  "zoom-fit": () => stage.fit(),
  cross: moveCross,
  pan: panBy,
  pen,
  close: (event) => drawing.close(event.timeStamp),
  cancel: () => drawing.cancel(),
  person: () => session.askPerson(),
  keys: () => {
    byId("keys").open = !byId("keys").open;
    if (byId("keys").open) byId("keys").querySelector("summary").focus();
  },
};
for (const tool of TOOLS) commands[`tool-${tool}`] = () => setTool(tool);
for (const view of VIEWS) commands[`view-${view}`] = () => setView(view);
for (const verb of DECISIONS) commands[verb] = () => session.decide(verb);

panel.listKeys(KEYS);
byId("keys").open = matchMedia("(min-width: 900px)").matches;
setTool("brush");
setMark(true);
setSize(24);
setView("outline");
new Pointer(stage, drawing, {
  canDraw: () => session.canDraw(),
  moved: (x, y) => {
    cross = null;
    pointAt(x, y, false);
  },
});
listen(stage.canvas, commands, () => byId("letters").checked);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  commands[button.dataset.do](event);
  // After a mouse the keys are the photo's again; who came by keyboard stays where they are.
  if (event.detail > 0) stage.canvas.focus({ preventScroll: true });
});
byId("person").addEventListener("click", () => session.askPerson());
byId("size").addEventListener("input", (event) => setSize(Number(event.target.value)));
for (const kind of ["pointerdown", "keydown", "wheel"]) {
  document.addEventListener(kind, () => { session.isActive = true; }, { passive: true });
}
addEventListener("online", () => session.outbox.hurry());
session.start();
