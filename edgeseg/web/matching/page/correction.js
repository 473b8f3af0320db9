// The canvas on which a cutout is corrected: the photo, what counts as background dimmed, strokes.

const BRUSH_SHARE = 0.045;
const KEY_STEP_SHARE = 0.025;
// A pointer tells more places than a stroke needs.
const LEAST_STEP_SHARE = 0.006;
const WASH = "rgba(232, 236, 242, 0.8)";
const OUTLINE = "#d6008f";
const OUTLINE_SHARE = 0.005;

function picture(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("The photo did not load."));
    image.src = address;
  });
}

function layer(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  return [canvas, canvas.getContext("2d", { willReadFrequently: true })];
}

// What covers the photo: the background pale, and a line along the garment's edge.
function overlayOf(mask, width, height) {
  const [shape, shaping] = layer(width, height);
  shaping.drawImage(mask, 0, 0, width, height);
  const pixels = shaping.getImageData(0, 0, width, height);
  // From grey to coverage.
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at];
  shaping.putImageData(pixels, 0, 0);
  const [edge, edging] = layer(width, height);
  const reach = Math.max(1, Math.round(OUTLINE_SHARE * Math.max(width, height)));
  for (let turn = 0; turn < 16; turn += 1) {
    const angle = (turn * Math.PI) / 8;
    edging.drawImage(shape, Math.cos(angle) * reach, Math.sin(angle) * reach);
  }
  edging.globalCompositeOperation = "source-in";
  edging.fillStyle = OUTLINE;
  edging.fillRect(0, 0, width, height);
  const [canvas, covering] = layer(width, height);
  covering.fillStyle = WASH;
  covering.fillRect(0, 0, width, height);
  covering.drawImage(edge, 0, 0);
  covering.globalCompositeOperation = "destination-out";
  covering.drawImage(shape, 0, 0);
  return canvas;
}

export class Correction {
  // `onStroke` is called with all strokes after each one.
  constructor(canvas, onStroke) {
    this.canvas = canvas;
    this.onStroke = onStroke;
    this.strokes = [];
    this.foreground = true;
    this.drawing = null;
    this.cross = null;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.go(event));
    canvas.addEventListener("pointerup", () => this.end());
    canvas.addEventListener("pointercancel", () => this.end());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.cross = null; this.paint(); });
  }

  async open(photoAddress, maskAddress) {
    this.strokes = [];
    this.drawing = null;
    this.photo = await picture(photoAddress);
    this.canvas.width = this.photo.naturalWidth;
    this.canvas.height = this.photo.naturalHeight;
    await this.showMask(maskAddress);
  }

  async showMask(maskAddress) {
    this.overlay = null;
    if (maskAddress) {
      this.overlay = overlayOf(await picture(maskAddress), this.canvas.width, this.canvas.height);
    }
    this.paint();
  }

  get brush() {
    return Math.max(6, BRUSH_SHARE * Math.max(this.canvas.width, this.canvas.height));
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.canvas.width,
      ((event.clientY - box.top) / box.height) * this.canvas.height,
    ];
  }

  begin(event) {
    if (event.button !== 0 || this.drawing) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.cross = null;
    this.drawing = [this.place(event)];
    this.paint();
  }

  go(event) {
    if (!this.drawing) return;
    const [x, y] = this.place(event);
    const [lastX, lastY] = this.drawing[this.drawing.length - 1];
    const least = LEAST_STEP_SHARE * Math.max(this.canvas.width, this.canvas.height);
    if (Math.hypot(x - lastX, y - lastY) >= least && this.drawing.length < 2000) {
      this.drawing.push([x, y]);
      this.paint();
    }
  }

  end() {
    if (!this.drawing) return;
    this.add(this.drawing);
    this.drawing = null;
    this.paint();
  }

  add(points) {
    this.strokes.push({
      tool: "brush",
      foreground: this.foreground,
      points: points.map(([x, y]) => [Math.round(x * 10) / 10, Math.round(y * 10) / 10]),
      width_px: Math.round(this.brush),
    });
    this.onStroke(this.strokes);
  }

  undo() {
    if (this.strokes.pop()) this.onStroke(this.strokes);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { width, height } = this.canvas;
    this.cross ||= [width / 2, height / 2];
    if (event.key in steps) {
      const step = KEY_STEP_SHARE * Math.max(width, height);
      const [dx, dy] = steps[event.key];
      this.cross = [
        Math.min(Math.max(this.cross[0] + dx * step, 0), width),
        Math.min(Math.max(this.cross[1] + dy * step, 0), height),
      ];
    } else if (event.key === " " || event.key === "Enter") {
      this.add([this.cross]);
    } else {
      return;
    }
    event.preventDefault();
    this.paint();
  }

  paint() {
    if (!this.photo) return;
    const context = this.canvas.getContext("2d");
    context.drawImage(this.photo, 0, 0);
    if (this.overlay) context.drawImage(this.overlay, 0, 0);
    if (this.drawing) this.line(context, this.drawing, this.foreground);
    if (this.cross) this.mark(context, this.cross);
  }

  line(context, points, foreground) {
    context.strokeStyle = foreground ? "rgba(0, 190, 80, 0.75)" : "rgba(225, 30, 0, 0.75)";
    context.lineWidth = this.brush;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    context.lineTo(points[points.length - 1][0] + 0.01, points[points.length - 1][1]);
    context.stroke();
  }

  mark(context, [x, y]) {
    const arm = this.brush;
    for (const [style, width] of [["#ffffff", 5], ["#000000", 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x - arm, y);
      context.lineTo(x + arm, y);
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
      context.stroke();
    }
  }
}
