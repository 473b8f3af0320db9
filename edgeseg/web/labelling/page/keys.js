// A key for everything: the one table that the list on the page and the keyboard itself follow.

/** Keys as events name them, how the list shows them, what they do, and the command. */
export const KEYS = [
  [["a"], "A", "Accept the mask", "accept"],
  [["s"], "S", "Skip: for later, or for somebody else", "skip"],
  [["d"], "D", "Reject: no label can be made", "reject"],
  [["n"], "N", "Write a note for skip or reject", "note"],
  [["Backspace"], "Backspace", "Back to the last photo", "back"],
  [["z", "ctrl+z"], "Z, Ctrl Z", "Undo", "undo"],
  [["y", "ctrl+y", "ctrl+shift+z"], "Y, Ctrl Y", "Redo", "redo"],
  [["c"], "C", "Click", "tool-click"],
  [["b"], "B", "Brush", "tool-brush"],
  [["p"], "P", "Polygon", "tool-polygon"],
  [["r"], "R", "Rectangle about the garment", "tool-rectangle"],
  [["e"], "E", "Eraser: only what is under it", "tool-eraser"],
  [["m"], "M", "Move the photo", "tool-move"],
  [["g"], "G", "Mark garment", "mark-garment"],
  [["k"], "K", "Mark background", "mark-background"],
  [["x"], "X, right button", "The other of the two", "mark-swap"],
  [["["], "[", "Smaller brush", "size-down"],
  [["]"], "]", "Larger brush", "size-up"],
  [["v"], "V", "Outline, cutout, photo", "view-next"],
  [["+", "="], "+, wheel", "Zoom in, at the crosshair", "zoom-in"],
  [["-"], "−, wheel", "Zoom out", "zoom-out"],
  [["0"], "0", "The whole photo", "zoom-fit"],
  [["ArrowLeft"], "← → ↑ ↓", "Move the crosshair (Shift: by one pixel)", "cross"],
  [["ctrl+ArrowLeft"], "Ctrl and arrow", "Move the photo", "pan"],
  [[" "], "Space", "Pen down and up; a corner", "pen"],
  [["Enter"], "Enter", "Close the polygon", "close"],
  [["Escape"], "Esc", "Drop the stroke under way; back to the photo", "cancel"],
  [["u"], "U", "Who is labelling", "person"],
  [["?"], "?", "This list", "keys"],
];

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const COMMANDS = new Map(KEYS.flatMap(([names, , , command]) => names.map((name) => [name, command])));

/**
 * Listen to the keyboard.
 * @param stage the canvas.
 * @param commands functions by name; "cross" and "pan" take a direction and the event.
 * @param lettersEverywhere whether letters count where the photo does not have the focus.
 */
export function listen(stage, commands, lettersEverywhere) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const { target } = event;
    const isTyping = target.matches("input[type=text]");
    const isStage = target === stage || target === document.body;
    if (event.key === "Escape") {
      stage.focus();
      commands.cancel(event);
      return;
    }
    if (isTyping || event.altKey || event.metaKey) return;
    const direction = ARROWS[event.key];
    // What has the focus keeps the keys by which it is itself worked.
    const isNative = direction || [" ", "Enter"].includes(event.key);
    if (!isStage && (isNative || !lettersEverywhere())) return;
    if (direction) {
      event.preventDefault();
      commands[event.ctrlKey ? "pan" : "cross"](direction, event);
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const shift = event.ctrlKey && event.shiftKey ? "shift+" : "";
    const name = event.ctrlKey ? `ctrl+${shift}${key}` : key;
    const command = COMMANDS.get(name);
    if (!command || (event.repeat && ["accept", "skip", "reject", "back", "pen"].includes(command))) return;
    event.preventDefault();
    commands[command](event);
  });
}
