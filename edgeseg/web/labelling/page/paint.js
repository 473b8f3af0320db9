// Colours, the pen's own picture, and the ground behind a cutout.

export const COLOURS = {
  around: "#202428", outline: "#00e5ff", outlineEdge: "#001018",
  garment: "0, 200, 255", background: "255, 120, 0",
};

/** The pen, on the canvas: see `cursor` of Stage. `unit` is a CSS pixel. */
export function paintCursor(context, cursor, unit) {
  const { x, y, radius, isCross, sign, foreground, isDown } = cursor;
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

/** What shows through a cutout: neither a white garment nor a dark one is lost on it. */
export function checks(context) {
  const tile = new OffscreenCanvas(24, 24);
  const brush = tile.getContext("2d");
  brush.fillStyle = "#9aa3ab";
  brush.fillRect(0, 0, 24, 24);
  brush.fillStyle = "#b9c1c8";
  brush.fillRect(0, 0, 12, 12);
  brush.fillRect(12, 12, 12, 12);
  return context.createPattern(tile, "repeat");
}
