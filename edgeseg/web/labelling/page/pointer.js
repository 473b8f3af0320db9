// Mouse, pen and fingers on the photo: one draws, two pinch and pan, the wheel zooms.

const WHEEL_ZOOM = 0.0015;

export class Pointer {
  #fingers = new Map();
  #pinch = null;
  #panning = null;

  /**
   * @param stage; @param drawing;
   * @param on {canDraw(): boolean, moved(x, y)}: moved is told where a pointer is, or null, null.
   */
  constructor(stage, drawing, on) {
    Object.assign(this, { stage, drawing, on });
    const { canvas } = stage;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    canvas.addEventListener("pointerleave", () => on.moved(null, null));
    canvas.addEventListener("dblclick", (event) => drawing.close(event.timeStamp));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #place(event) {
    const { ratio } = this.stage;
    const frame = this.stage.canvas.getBoundingClientRect();
    return [(event.clientX - frame.left) * ratio, (event.clientY - frame.top) * ratio];
  }

  #down(event) {
    event.preventDefault();
    const { canvas } = this.stage;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.#place(event);
    this.#fingers.set(event.pointerId, [x, y]);
    if (this.#fingers.size === 2) {
      // The first finger's stroke was the beginning of a pinch.
      if (this.drawing.isDown) this.drawing.cancel();
      else this.drawing.stepBack();
      this.#panning = null;
      this.#pinch = this.#span();
      return;
    }
    if (this.#fingers.size > 2) return;
    if (event.button === 1 || this.drawing.tool === "move") this.#panning = [x, y];
    else if (this.on.canDraw()) this.drawing.press(x, y, event.timeStamp, event.button === 2);
  }

  #move(event) {
    const [x, y] = this.#place(event);
    if (this.#fingers.has(event.pointerId)) this.#fingers.set(event.pointerId, [x, y]);
    if (this.#pinch) {
      if (this.#fingers.size < 2) return;
      const span = this.#span();
      this.stage.zoom(span.length / this.#pinch.length, ...this.#pinch.middle);
      this.stage.pan(span.middle[0] - this.#pinch.middle[0], span.middle[1] - this.#pinch.middle[1]);
      this.#pinch = span;
      return;
    }
    if (this.#panning) {
      this.stage.pan(x - this.#panning[0], y - this.#panning[1]);
      this.#panning = [x, y];
      return;
    }
    for (const each of event.getCoalescedEvents?.() ?? []) this.drawing.move(...this.#place(each));
    this.drawing.move(x, y);
    if (event.pointerType !== "touch" || this.drawing.isDown) this.on.moved(x, y);
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    if (this.#pinch) {
      if (this.#fingers.size === 0) this.#pinch = null;
      else if (this.#fingers.size >= 2) this.#pinch = this.#span();
      return;
    }
    this.#panning = null;
    this.drawing.lift(event.timeStamp);
    if (event.pointerType === "touch") this.on.moved(null, null);
  }

  #cancel(event) {
    this.#fingers.delete(event.pointerId);
    this.#pinch = this.#panning = null;
    if (this.drawing.isDown) this.drawing.cancel();
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.shiftKey) {
      this.stage.pan(-(event.deltaX || event.deltaY) * lines, 0);
      return;
    }
    // A trackpad's pinch comes as small steps with the control key.
    const speed = event.ctrlKey ? 6 * WHEEL_ZOOM : WHEEL_ZOOM;
    this.stage.zoom(Math.exp(-event.deltaY * lines * speed), ...this.#place(event));
  }

  #span() {
    const [[x0, y0], [x1, y1]] = [...this.#fingers.values()];
    return { middle: [(x0 + x1) / 2, (y0 + y1) / 2], length: Math.max(1, Math.hypot(x1 - x0, y1 - y0)) };
  }
}
