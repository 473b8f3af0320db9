// The mask: from run lengths to an outline in the photo's own pixels, which any zoom can draw.

// Where a cell of four pixels is left, by the edge through which it was entered. Bits of a cell:
// 8 top left, 4 top right, 2 bottom right, 1 bottom left; the garment is on the right hand.
const LEFT = 0, TOP = 1, RIGHT = 2, BOTTOM = 3, NONE = -1;
const EXITS = Array.from({ length: 16 }, () => [NONE, NONE, NONE, NONE]);
for (const [cell, entry, exit] of [
  [1, LEFT, BOTTOM], [2, BOTTOM, RIGHT], [4, RIGHT, TOP], [8, TOP, LEFT],
  [3, LEFT, RIGHT], [6, BOTTOM, TOP], [12, RIGHT, LEFT], [9, TOP, BOTTOM],
  [7, LEFT, TOP], [11, TOP, RIGHT], [13, RIGHT, BOTTOM], [14, BOTTOM, LEFT],
  [5, LEFT, BOTTOM], [5, RIGHT, TOP], [10, TOP, LEFT], [10, BOTTOM, RIGHT],
]) EXITS[cell][entry] = exit;

// From the exit to the next cell, and to the edge through which that is entered.
const STEP_X = [-1, 0, 1, 0], STEP_Y = [0, -1, 0, 1];
// An edge's middle, from the corner that a cell's four pixels share.
const MIDDLE_X = [-0.5, 0, 0.5, 0], MIDDLE_Y = [0, -0.5, 0, 0.5];

/** Garment pixels of run lengths, with a rim of background one pixel wide. */
function pixels({ width_px: width, height_px: height, runs }) {
  const stride = width + 2;
  const found = new Uint8Array(stride * (height + 2));
  let position = 0;
  for (let index = 0; index < runs.length; index += 1) {
    let left = runs[index];
    if (index % 2 === 0) {
      position += left;
      continue;
    }
    while (left > 0) {
      const row = Math.floor(position / width), column = position % width;
      const here = Math.min(left, width - column);
      const start = (row + 1) * stride + column + 1;
      found.fill(1, start, start + here);
      position += here;
      left -= here;
    }
  }
  return found;
}

/**
 * The outline of a mask as closed curves.
 * @param mask {width_px, height_px, runs}, as the server sends it.
 * @param photo {width_px, height_px}: whose pixels the curves are in.
 * @returns {path: Path2D, area: number}: to fill by the even-odd rule; the garment's share in [0, 1].
 */
export function outlineOf(mask, photo) {
  const found = pixels(mask);
  const stride = mask.width_px + 2, rows = mask.height_px + 2;
  const scaleX = photo.width_px / mask.width_px, scaleY = photo.height_px / mask.height_px;
  const entered = new Uint8Array(found.length);
  const path = new Path2D();
  const cellAt = (at) =>
    found[at] * 8 + found[at + 1] * 4 + found[at + stride + 1] * 2 + found[at + stride];
  for (let y = 0; y < rows - 1; y += 1) {
    for (let x = 0; x < stride - 1; x += 1) {
      const at = y * stride + x;
      const cell = cellAt(at);
      if (cell === 0 || cell === 15) continue;
      for (let entry = 0; entry < 4; entry += 1) {
        if (EXITS[cell][entry] !== NONE && !(entered[at] & (1 << entry))) {
          follow(x, y, entry);
        }
      }
    }
  }
  let area = 0;
  for (let index = 1; index < mask.runs.length; index += 2) area += mask.runs[index];
  return { path, area: area / (mask.width_px * mask.height_px) };

  function follow(startX, startY, startEntry) {
    let x = startX, y = startY, entry = startEntry, before = -1, isFirst = true;
    for (;;) {
      const at = y * stride + x;
      if (entered[at] & (1 << entry)) break;
      entered[at] |= 1 << entry;
      const cell = cellAt(at);
      const exit = EXITS[cell][entry];
      // A straight line needs no point in its middle.
      const kind = entry * 4 + exit;
      if (kind !== before || exit !== (entry + 2) % 4) {
        const pointX = (x + MIDDLE_X[entry]) * scaleX, pointY = (y + MIDDLE_Y[entry]) * scaleY;
        if (isFirst) path.moveTo(pointX, pointY);
        else path.lineTo(pointX, pointY);
        isFirst = false;
      }
      before = kind;
      x += STEP_X[exit];
      y += STEP_Y[exit];
      entry = (exit + 2) % 4;
    }
    path.closePath();
  }
}
