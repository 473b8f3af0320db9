// Strokes in the making, the same for pointer and keyboard: what is pressed down, moved and lifted.

const CLOSE_PX = 10; // CSS pixels about a polygon's first corner that close it

const tenth = (value) => Math.round(value * 10) / 10;
const MAX_POINTS = 8_000;

export class Drawing {
  /** @param stage; @param onStroke takes a finished stroke and the time of its last event. */
  constructor(stage, onStroke) {
    this.stage = stage;
    this.onStroke = onStroke;
    this.tool = "brush"; // or "click", "polygon", "rectangle", "eraser", "move"
    this.foreground = true;
    this.size = 24; // the brush's diameter in CSS pixels
    this.isDown = false;
  }

  get isDrawing() {
    return this.stage.draft !== null;
  }

  /** The brush's radius on the canvas; 0 for tools that have none. */
  get radius() {
    const hasBrush = this.tool === "brush" || this.tool === "eraser";
    return hasBrush ? (this.size * devicePixelRatio) / 2 : 0;
  }

  cancel() {
    this.isDown = false;
    this.stage.draft = null;
    this.stage.draw();
  }

  /** Put the pen down at a point of the canvas. */
  press(x, y, time, isOpposite = false) {
    const point = this.#point(x, y);
    const foreground = this.tool === "rectangle" || (this.tool !== "eraser" && this.foreground !== isOpposite);
    if (this.tool === "polygon") {
      this.#corner(point, foreground, time);
      return;
    }
    this.isDown = true;
    const hasBrush = this.tool === "brush" || this.tool === "eraser";
    this.stage.draft = {
      tool: this.tool === "click" ? "brush" : this.tool,
      foreground,
      points: [point],
      width_px: hasBrush ? tenth((this.size * devicePixelRatio) / this.stage.scale) : 0,
    };
    this.stage.draw();
  }

  /** Move to a point of the canvas, pen down or not. */
  move(x, y) {
    const { draft } = this.stage;
    if (!draft) return;
    const point = this.#point(x, y);
    if (draft.tool === "polygon") draft.end = point;
    else if (!this.isDown) return;
    else if (draft.tool === "rectangle") draft.points = [draft.points[0], point];
    else if (this.tool === "click") draft.points = [point];
    else if (this.#isFar(draft.points[draft.points.length - 1], point, 1)) {
      if (draft.points.length < MAX_POINTS) draft.points.push(point);
    }
    this.stage.draw();
  }

  /** Lift the pen. */
  lift(time) {
    const { draft } = this.stage;
    const isDrawn = this.isDown && draft !== null; // else another photo came meanwhile
    this.isDown = false;
    if (!isDrawn) return;
    if (draft.tool === "rectangle" && !(draft.points[1] && this.#isFar(...draft.points, 4))) {
      this.cancel();
      return;
    }
    this.#finish(draft, time);
  }

  /** Close the polygon that is under way. */
  close(time) {
    const { draft } = this.stage;
    if (draft?.tool !== "polygon") return;
    if (draft.points.length < 3) this.cancel();
    else this.#finish(draft, time);
  }

  /** Take the last corner of a polygon back; whether there was one. */
  stepBack() {
    const { draft } = this.stage;
    if (draft?.tool !== "polygon") return false;
    draft.points.pop();
    if (draft.points.length === 0) this.cancel();
    this.stage.draw();
    return true;
  }

  #corner(point, foreground, time) {
    const { draft } = this.stage;
    if (draft?.tool !== "polygon") {
      this.stage.draft = { tool: "polygon", foreground, points: [point], width_px: 0 };
    } else if (!this.#isFar(draft.points[0], point, CLOSE_PX) && draft.points.length > 2) {
      this.close(time);
      return;
    } else if (this.#isFar(draft.points[draft.points.length - 1], point, 2)) {
      draft.points.push(point);
    }
    this.stage.draw();
  }

  #finish({ tool, foreground, points, width_px }, time) {
    this.stage.draft = null;
    this.onStroke({ tool, foreground, points, width_px }, time);
  }

  #point(x, y) {
    return this.stage.toPhoto(x, y).map(tenth);
  }

  #isFar([x0, y0], [x1, y1], css_px) {
    return Math.hypot(x1 - x0, y1 - y0) * this.stage.scale >= css_px * devicePixelRatio;
  }
}
