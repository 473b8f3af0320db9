// The photo on its canvas: where it lies, how large, and everything that is drawn upon it.

const LARGEST_SCALE = 12; // canvas pixels per photo pixel
const COLOURS = {
  around: "#202428", outline: "#00e5ff", outlineEdge: "#001018",
  garment: "0, 200, 255", background: "255, 120, 0",
};

export class Stage {
  #asked = false;
  #after = [];

  /** @param canvas; @param onMoved called when the view has changed. */
  constructor(canvas, onMoved) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onMoved = onMoved;
    this.photo = null; // {width_px, height_px}
    this.base = null; // ImageBitmap of all of it
    this.detail = null; // {bitmap, box: {left, top, right, bottom}}
    this.outline = null; // Path2D in the photo's pixels
    this.view = "outline"; // or "cutout", "photo"
    this.marks = []; // strokes that are drawn and not in the mask yet
    this.draft = null; // the one under way
    this.cursor = null; // {x, y, radius, isCross, sign, garment} in canvas pixels
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.isFitted = true;
    new ResizeObserver(() => this.#resized()).observe(canvas);
  }

  /** Canvas pixels per CSS pixel. */
  get ratio() {
    return this.canvas.width / Math.max(1, this.canvas.clientWidth);
  }

  show(photo, base) {
    this.photo = photo;
    this.base = base;
    this.detail = null;
    this.outline = null;
    this.marks = [];
    this.draft = null;
    this.fit();
  }

  clear() {
    this.photo = this.base = this.detail = this.outline = this.draft = null;
    this.marks = [];
    this.draw();
  }

  toPhoto(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  toCanvas(x, y) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  get fittedScale() {
    const { width, height } = this.canvas;
    return Math.min(width / this.photo.width_px, height / this.photo.height_px);
  }

  fit() {
    if (!this.photo) return;
    this.scale = this.fittedScale;
    this.left = (this.canvas.width - this.photo.width_px * this.scale) / 2;
    this.top = (this.canvas.height - this.photo.height_px * this.scale) / 2;
    this.isFitted = true;
    this.#moved();
  }

  /** Zoom about a point of the canvas. */
  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    if (!this.photo) return;
    const least = this.fittedScale;
    const scale = Math.max(least, Math.min(this.scale * factor, Math.max(LARGEST_SCALE, least)));
    if (scale === least) {
      this.fit();
      return;
    }
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.isFitted = false;
    this.#bound();
    this.#moved();
  }

  pan(x, y) {
    if (!this.photo || this.isFitted) return;
    this.left += x;
    this.top += y;
    this.#bound();
    this.#moved();
  }

  /** Pan as little as brings a point of the canvas inside; gives how far that was. */
  reveal(x, y) {
    const rim = Math.min(this.canvas.width, this.canvas.height) / 8;
    const before = [this.left, this.top];
    this.pan(
      x < rim ? rim - x : Math.min(0, this.canvas.width - rim - x),
      y < rim ? rim - y : Math.min(0, this.canvas.height - rim - y),
    );
    return [this.left - before[0], this.top - before[1]];
  }

  /** What of the photo is to be seen, in whole photo pixels. */
  visibleBox() {
    const [left, top] = this.toPhoto(0, 0);
    const [right, bottom] = this.toPhoto(this.canvas.width, this.canvas.height);
    return {
      left: Math.max(0, Math.floor(left)), top: Math.max(0, Math.floor(top)),
      right: Math.min(this.photo.width_px, Math.ceil(right)),
      bottom: Math.min(this.photo.height_px, Math.ceil(bottom)),
    };
  }

  /** Draw at the next frame; `after` is called when that frame has been handed to the screen. */
  draw(after = null) {
    if (after) this.#after.push(after);
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#paint();
      const done = this.#after.splice(0);
      if (done.length === 0) return;
      // A task behind the frame: what was drawn is on screen by then.
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done.forEach((each) => each());
      channel.port2.postMessage(null);
    });
  }

  #resized() {
    const width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    const height = Math.round(this.canvas.clientHeight * devicePixelRatio);
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.canvas.width = Math.max(1, width);
    this.canvas.height = Math.max(1, height);
    if (!this.photo) this.draw();
    else if (this.isFitted) this.fit();
    else this.zoom(1);
  }

  /** Keep half of the canvas filled: a photo cannot be lost out of sight. */
  #bound() {
    const { width, height } = this.canvas;
    const wide = this.photo.width_px * this.scale, high = this.photo.height_px * this.scale;
    this.left = Math.min(width / 2, Math.max(width / 2 - wide, this.left));
    this.top = Math.min(height / 2, Math.max(height / 2 - high, this.top));
  }

  #moved() {
    this.onMoved();
    this.draw();
  }

  #paint() {
    const context = this.context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = COLOURS.around;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.photo) return;
    context.setTransform(this.scale, 0, 0, this.scale, this.left, this.top);
    const unit = devicePixelRatio / this.scale; // a CSS pixel
    const { width_px: width, height_px: height } = this.photo;
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = this.scale < 4;
    if (this.view === "cutout" && this.outline) {
      context.fillStyle = "#fff";
      context.fillRect(0, 0, width, height);
      context.save();
      context.clip(this.outline, "evenodd");
      this.#paintPhoto();
      context.restore();
    } else {
      this.#paintPhoto();
      if (this.view === "outline" && this.outline) this.#paintOutline(unit);
    }
    for (const mark of this.marks) this.#paintMark(mark, unit);
    if (this.draft) this.#paintMark(this.draft, unit);
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (this.cursor) this.#paintCursor(devicePixelRatio);
  }

  #paintPhoto() {
    const { width_px: width, height_px: height } = this.photo;
    if (this.base) this.context.drawImage(this.base, 0, 0, width, height);
    if (this.detail) {
      const { left, top, right, bottom } = this.detail.box;
      this.context.drawImage(this.detail.bitmap, left, top, right - left, bottom - top);
    }
  }

  #paintOutline(unit) {
    const context = this.context;
    const outside = new Path2D();
    outside.rect(0, 0, this.photo.width_px, this.photo.height_px);
    outside.addPath(this.outline);
    context.fillStyle = "rgba(0, 0, 0, 0.35)";
    context.fill(outside, "evenodd");
    context.lineJoin = "round";
    context.strokeStyle = COLOURS.outlineEdge;
    context.lineWidth = 4 * unit;
    context.stroke(this.outline);
    context.strokeStyle = COLOURS.outline;
    context.lineWidth = 2 * unit;
    context.stroke(this.outline);
  }

  /** A stroke: {tool, foreground, points, width_px}, where `end` is a polygon's next corner. */
  #paintMark(mark, unit) {
    const context = this.context;
    const colour = mark.foreground ? COLOURS.garment : COLOURS.background;
    const points = mark.end ? [...mark.points, mark.end] : mark.points;
    context.strokeStyle = `rgba(${colour}, 0.6)`;
    context.fillStyle = `rgba(${colour}, 0.35)`;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    if (mark.tool === "rectangle" || mark.tool === "polygon") {
      if (mark.tool === "rectangle") {
        const [[x0, y0], [x1, y1]] = [points[0], points[points.length - 1]];
        context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
      } else {
        points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.closePath();
        context.fill();
      }
      context.setLineDash([6 * unit, 4 * unit]);
      context.strokeStyle = "#000";
      context.lineWidth = 3 * unit;
      context.stroke();
      context.strokeStyle = `rgb(${colour})`;
      context.lineWidth = 2 * unit;
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = "#fff";
      for (const [x, y] of mark.tool === "polygon" ? mark.points : []) {
        context.fillRect(x - 3 * unit, y - 3 * unit, 6 * unit, 6 * unit);
      }
      return;
    }
    const width = mark.width_px || 12 * unit;
    if (points.length === 1) {
      context.arc(points[0][0], points[0][1], width / 2, 0, 2 * Math.PI);
      context.fillStyle = `rgba(${colour}, 0.6)`;
      context.fill();
      return;
    }
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.lineWidth = width;
    context.stroke();
  }

  #paintCursor(unit) {
    const context = this.context;
    const { x, y, radius, isCross, sign, foreground, isDown } = this.cursor;
    const colour = `rgb(${foreground ? COLOURS.garment : COLOURS.background})`;
    const lines = new Path2D();
    if (radius > 0) lines.arc(x, y, radius, 0, 2 * Math.PI);
    if (isCross) {
      const gap = 4 * unit, reach = Math.max(radius, 14 * unit) + 8 * unit;
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        lines.moveTo(x + dx * gap, y + dy * gap);
        lines.lineTo(x + dx * reach, y + dy * reach);
      }
    }
    context.strokeStyle = "#000";
    context.lineWidth = 4 * unit;
    context.stroke(lines);
    context.strokeStyle = isDown ? colour : "#fff";
    context.lineWidth = 2 * unit;
    context.stroke(lines);
    if (!sign) return;
    const at = [x + Math.max(radius * 0.75, 6 * unit), y - Math.max(radius * 0.75, 6 * unit)];
    context.font = `bold ${18 * unit}px system-ui, sans-serif`;
    context.lineWidth = 4 * unit;
    context.strokeStyle = "#000";
    context.strokeText(sign, ...at);
    context.fillStyle = colour;
    context.fillText(sign, ...at);
  }
}
