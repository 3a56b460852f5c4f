// Hands and wires. A gesture is one stroke of mouse, finger or keys; when it ends, the whole picture goes to Python
// once, named by the revision it was drawn on. Pixels are loaded only where Python's revision is new, so that a rerun
// in the middle of a gesture changes nothing under it.

const editors = new WeakMap(); // by the element they live in
const sheets = new Map(); // by revision: a picture with its past, which outlives an element that comes and goes
const MOST_SHEETS = 8;
const LONGEST_PAST = 100;
const SLOWEST_ANSWER = 1000; // milliseconds

// `fromStart` marks tools that begin again from the picture before the gesture at each move.
const TOOLS = {
  pen: { brush: true, showsInk: true, draw: drawFreehand },
  eraser: { brush: true, draw: drawFreehand },
  line: {
    brush: true,
    showsInk: true,
    fromStart: true,
    draw: (editor, { start }, point) => drawSegment(editor.picture, start, point, editor.size, inkOf(editor)),
  },
  rectangle: {
    showsInk: true,
    fromStart: true,
    draw: (editor, { start }, point) =>
      drawRectangle(editor.picture, start, point, editor.filled ? Infinity : editor.size, inkOf(editor)),
  },
  fill: {
    showsInk: true,
    fromStart: true,
    draw: (editor, { start }) => floodFill(editor.picture, start, inkOf(editor)),
  },
  eyedropper: { draw: (editor, _, point) => pickInk(editor, point) },
  move: {
    fromStart: true,
    draw: (editor, { start }, point) => {
      const [dx, dy] = [0, 1].map((axis) => Math.round(point[axis] - start[axis]));
      editor.picture.pixels = moved(editor.picture, dx, dy);
    },
  },
};
const TOOL_KEYS = { p: "pen", e: "eraser", l: "line", r: "rectangle", f: "fill", i: "eyedropper", m: "move" };
const ACTION_KEYS = { h: "mirror", s: "sample", n: "next", Delete: "clear", Backspace: "clear" };
const LARGEST_PASTE = 512; // pixels a side; Python would shrink it anyway
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export default function ({ parentElement, data, setTriggerValue }) {
  if (!editors.has(parentElement)) editors.set(parentElement, createEditor(parentElement));
  const editor = editors.get(parentElement);
  editor.send = (stroke) => setTriggerValue("stroke", stroke);
  editor.askForSample = (step) => setTriggerValue("sample", step);
  editor.sendPaste = (picture) => setTriggerValue("paste", picture);
  receive(editor, data);
  return () => {
    // Streamlit also calls this for a call that a newer one has overtaken: then the editor lives on.
    if (parentElement.isConnected) return;
    leaveGesture(editor);
    editor.unmount.abort();
    editors.delete(parentElement);
  };
}

function createEditor(parent) {
  const root = parent.querySelector(".editor");
  const canvas = root.querySelector("canvas");
  const editor = {
    root,
    canvas,
    context: canvas.getContext("2d"),
    stage: root.querySelector(".stage"),
    status: root.querySelector(".status"),
    spoken: root.querySelector(".spoken"),
    unmount: new AbortController(),
    frame: 0,
    cell: 1,
    picture: null,
    grey: null,
    sample: null,
    sampleText: null,
    sampleShown: true,
    tool: "pen",
    filled: true,
    size: 1,
    color: null,
    alpha: 255,
    cursor: null, // shown there; null hides it
    keyboardCell: null, // where the arrows go on from
    gesture: null,
    send: () => {},
    askForSample: () => {},
    sendPaste: () => {},
  };
  listen(editor);
  showTools(editor);
  showSize(editor);
  return editor;
}

function listen(editor) {
  const { root, canvas } = editor;
  const { signal } = editor.unmount;
  const on = (target, type, handle) => target.addEventListener(type, (event) => handle(editor, event), { signal });
  // Else the browser takes a fast stroke for a fling, and the tap that follows it for the end of that fling.
  on(canvas, "touchstart", (_, event) => event.preventDefault());
  on(canvas, "pointerdown", onPointerDown);
  on(canvas, "pointermove", onPointerMove);
  on(canvas, "pointerup", onPointerEnd);
  on(canvas, "pointercancel", onPointerEnd);
  on(canvas, "pointerleave", onPointerLeave);
  on(canvas, "focus", onFocus);
  on(canvas, "blur", onBlur);
  on(root, "keydown", onKeyDown);
  on(root, "keyup", onKeyUp);
  on(root, "click", onClick);
  on(root, "paste", onPaste);
  on(root, "input", onInput);
  const resizes = new ResizeObserver(() => fitCanvas(editor));
  resizes.observe(editor.stage);
  signal.addEventListener("abort", () => resizes.disconnect());
  for (const toolbar of root.querySelectorAll("[role=toolbar]")) rove(toolbar, signal);
}

// --- With Python -----------------------------------------------------------------------------------------------------

function receive(editor, data) {
  if (editor.grey !== data.grey) offerInks(editor, data.grey);
  if (editor.sampleText !== data.background) {
    editor.sampleText = data.background;
    editor.sample = data.background && asCanvas(opaquePicture(data));
  }
  if (editor.picture?.revision !== data.revision) load(editor, data);
  else resendIfLost(editor, data);
  showSample(editor);
  showSampleNumber(editor, data);
}

function load(editor, data) {
  if (editor.gesture) endGesture(editor, { keep: false });
  const old = editor.picture;
  const resized = old?.width !== data.width || old?.height !== data.height;
  const known = sheets.get(data.revision);
  editor.picture = known ?? newSheet(data, resized ? null : old);
  if (resized) {
    Object.assign(editor, { cursor: null, keyboardCell: null });
    editor.canvas.setAttribute("aria-label", `Drawing, ${data.height} rows by ${data.width} columns`);
    fitCanvas(editor);
  }
  if (known) resendIfLost(editor, data);
  showPicture(editor);
}

// A picture put there from outside can be undone like a stroke, unless its size makes that senseless.
function newSheet({ revision, width, height, pixels: text }, old) {
  const pixels = fromBase64(text);
  const sheet = { revision, width, height, pixels, past: [], future: [], sentAt: 0 };
  if (old) {
    sheet.past = [...old.past];
    if (!samePixels(old.pixels, pixels)) sheet.past.push(old.pixels);
  }
  sheets.set(revision, sheet);
  if (sheets.size > MOST_SHEETS) sheets.delete(sheets.keys().next().value);
  return sheet;
}

function sendPicture(editor) {
  const { picture } = editor;
  picture.sentAt = performance.now();
  editor.send({ revision: picture.revision, pixels: toBase64(picture.pixels) });
}

// The browser alone writes to a revision, so where Python still has other pixels, a stroke was lost on the way: the
// connection broke, or Streamlit took the element away while it was sent. A fresh one may just not have arrived yet.
function resendIfLost(editor, data) {
  const { picture, gesture } = editor;
  if (gesture || performance.now() - picture.sentAt < SLOWEST_ANSWER) return;
  if (!samePixels(fromBase64(data.pixels), picture.pixels)) sendPicture(editor);
}

function fromBase64(text) {
  return Uint8ClampedArray.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(pixels) {
  return btoa(Array.from(pixels, (value) => String.fromCharCode(value)).join(""));
}

function opaquePicture({ width, height, background }) {
  const rgb = fromBase64(background);
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let index = 0; index < width * height; index++) pixels.set(rgb.subarray(3 * index, 3 * index + 3), 4 * index);
  return { width, height, pixels };
}

// --- Gestures and history --------------------------------------------------------------------------------------------

function beginGesture(editor, point, source) {
  editor.gesture = { tool: editor.tool, before: editor.picture.pixels.slice(), start: point, last: point, source };
  extendGesture(editor, point);
}

function extendGesture(editor, point) {
  const { gesture } = editor;
  const tool = TOOLS[gesture.tool];
  if (tool.fromStart) editor.picture.pixels = gesture.before.slice();
  tool.draw(editor, gesture, point);
  gesture.last = point;
  render(editor);
}

function endGesture(editor, { keep }) {
  const { before } = editor.gesture;
  editor.gesture = null;
  if (keep) commit(editor, before);
  else editor.picture.pixels = before;
  showPicture(editor);
}

// A line or rectangle of which only the first corner is set was never finished; anything else was.
function leaveGesture(editor) {
  if (editor.gesture) endGesture(editor, { keep: editor.gesture.source !== "anchored" });
}

function commit(editor, before) {
  if (samePixels(before, editor.picture.pixels)) return;
  remember(editor, before);
  sendPicture(editor);
}

function remember({ picture }, pixels) {
  picture.past.push(pixels);
  picture.past.splice(0, picture.past.length - LONGEST_PAST);
  picture.future = [];
}

// A change made at once, by a button or a key.
function change(editor, makePixels) {
  leaveGesture(editor);
  const before = editor.picture.pixels;
  editor.picture.pixels = makePixels(editor.picture);
  commit(editor, before);
  showPicture(editor);
}

function travel(editor, from, to, [done, nothing]) {
  if (editor.gesture) return endGesture(editor, { keep: false });
  if (from.length === 0) return announce(editor, nothing);
  to.push(editor.picture.pixels);
  editor.picture.pixels = from.pop();
  sendPicture(editor);
  showPicture(editor);
  announce(editor, done);
}

function showPicture(editor) {
  showHistory(editor);
  showStatus(editor);
  render(editor);
}

// --- Tools and inks --------------------------------------------------------------------------------------------------

function inkOf({ tool, color, alpha }) {
  return tool === "eraser" ? TRANSPARENT : [...color, alpha];
}

function drawFreehand(editor, { last }, point) {
  drawSegment(editor.picture, last, point, editor.size, inkOf(editor));
}

// What is drawn there, or else the sample's colour where the sample is seen.
function pickInk(editor, point) {
  const [x, y] = point.map(Math.floor);
  if (!contains(editor.picture, x, y)) return;
  let [r, g, b, a] = pixelAt(editor.picture, x, y);
  if (a === 0 && editor.sample && editor.sampleShown) {
    [r, g, b, a] = editor.sample.getContext("2d").getImageData(x, y, 1, 1).data;
  }
  if (a > 0) setInk(editor, [r, g, b], a);
}

function setInk(editor, color, alpha) {
  Object.assign(editor, { color, alpha });
  showInk(editor);
  render(editor);
}

function offerInks(editor, grey) {
  editor.grey = grey;
  editor.root.classList.toggle("grey", grey);
  setInk(editor, grey ? [255, 255, 255] : [255, 214, 10], editor.alpha);
}

function chooseTool(editor, tool) {
  leaveGesture(editor);
  if (tool === "rectangle" && editor.tool === "rectangle") editor.filled = !editor.filled;
  editor.tool = tool;
  showTools(editor);
  render(editor);
  announce(editor, editor.root.querySelector(`[data-tool=${tool}]`).getAttribute("aria-label"));
}

function chooseSize(editor, size) {
  editor.size = size;
  showSize(editor);
  render(editor);
  announce(editor, `Brush ${size}`);
}

function act(editor, action) {
  const { past, future } = editor.picture;
  if (action === "undo") travel(editor, past, future, ["Undone", "Nothing to undo"]);
  if (action === "redo") travel(editor, future, past, ["Redone", "Nothing to redo"]);
  if (action === "mirror") {
    change(editor, mirrored);
    announce(editor, "Mirrored");
  }
  if (action === "clear") {
    change(editor, ({ pixels }) => new Uint8ClampedArray(pixels.length));
    announce(editor, "Cleared");
  }
  if (action === "paste") pasteFromClipboard(editor);
  if (action === "next") editor.askForSample(1);
  if (action === "sample" && editor.sample) {
    editor.sampleShown = !editor.sampleShown;
    showSample(editor);
    announce(editor, editor.sampleShown ? "Sample image shown" : "Sample image hidden");
  }
}

function announcePlace(editor) {
  const box = drawnBox(editor.picture);
  announce(editor, box ? `Upper left at row ${box.top}, column ${box.left}` : "Nothing to move");
}

// --- Pointer ---------------------------------------------------------------------------------------------------------

function pointOf({ canvas, picture }, event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) / box.width) * picture.width,
    ((event.clientY - box.top) / box.height) * picture.height,
  ];
}

function onPointerDown(editor, event) {
  if (!event.isPrimary || event.button !== 0) return;
  event.preventDefault();
  leaveGesture(editor);
  editor.canvas.focus({ preventScroll: true });
  editor.canvas.setPointerCapture(event.pointerId);
  editor.cursor = pointOf(editor, event);
  beginGesture(editor, editor.cursor, "pointer");
  showStatus(editor);
}

function onPointerMove(editor, event) {
  if (!event.isPrimary) return;
  editor.cursor = pointOf(editor, event);
  if (editor.gesture?.source === "pointer") {
    // The browser bundles the moves of one frame; each of them counts.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const step of events.length ? events : [event]) extendGesture(editor, pointOf(editor, step));
  }
  showStatus(editor);
  render(editor);
}

function onPointerEnd(editor, event) {
  if (event.isPrimary && editor.gesture?.source === "pointer") endGesture(editor, { keep: true });
  if (event.pointerType !== "mouse") onPointerLeave(editor);
}

function onPointerLeave(editor) {
  if (editor.gesture) return;
  editor.cursor = null;
  showStatus(editor);
  render(editor);
}

// --- Keyboard --------------------------------------------------------------------------------------------------------

function onKeyDown(editor, event) {
  // Streamlit listens on the document and owns C and R.
  event.stopPropagation();
  if (event.ctrlKey || event.metaKey) return onCommandKey(editor, event);
  if (event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const onCanvas = event.target === editor.canvas;
  if ((onCanvas && onCanvasKey(editor, key, event)) || onLetter(editor, key)) event.preventDefault();
}

function onCommandKey(editor, event) {
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  act(editor, key === "y" || event.shiftKey ? "redo" : "undo");
}

function onLetter(editor, key) {
  if (key in TOOL_KEYS) chooseTool(editor, TOOL_KEYS[key]);
  else if (key in ACTION_KEYS) act(editor, ACTION_KEYS[key]);
  else if (["1", "2", "3", "4"].includes(key)) chooseSize(editor, Number(key));
  else return false;
  return true;
}

function onCanvasKey(editor, key, event) {
  if (key in ARROWS) onArrow(editor, ARROWS[key], event.shiftKey ? 4 : 1);
  else if (key === " " || key === "Enter") event.repeat || press(editor);
  else if (key === "Escape" && editor.gesture) {
    endGesture(editor, { keep: false });
    announce(editor, "Cancelled");
  } else return false;
  return true;
}

function onArrow(editor, [dx, dy], step) {
  if (editor.gesture?.source === "pointer") return;
  if (editor.tool === "move") {
    if (!editor.gesture) editor.gesture = { before: editor.picture.pixels, source: "nudge" };
    editor.picture.pixels = moved(editor.picture, dx * step, dy * step);
    announcePlace(editor);
    render(editor);
    return;
  }
  const [x, y] = cursorCell(editor);
  placeCursor(editor, x + dx * step, y + dy * step);
  if (editor.gesture) extendGesture(editor, editor.cursor);
  announceCursor(editor);
}

// A short press of the pen is a dot, arrows while it is held draw; a line or rectangle takes a press at either end, so
// that no two keys need holding at once.
function press(editor) {
  const { gesture, tool } = editor;
  if (gesture?.source === "pointer" || tool === "move") return;
  if (gesture) {
    endGesture(editor, { keep: true });
    announce(editor, "Drawn");
    return;
  }
  placeCursor(editor, ...cursorCell(editor));
  const shape = tool === "line" || tool === "rectangle";
  beginGesture(editor, editor.cursor, shape ? "anchored" : "held");
  if (shape) announce(editor, "Started. Move with the arrows, press Space to finish or Escape to cancel");
  else announceCursor(editor);
}

function onKeyUp(editor, event) {
  event.stopPropagation();
  const source = editor.gesture?.source;
  const released = source === "held" ? [" ", "Enter"] : source === "nudge" ? Object.keys(ARROWS) : [];
  if (released.includes(event.key)) endGesture(editor, { keep: true });
}

function cursorCell({ cursor, keyboardCell, picture }) {
  return (cursor ?? keyboardCell ?? [picture.width / 2, picture.height / 2]).map(Math.floor);
}

function placeCursor(editor, x, y) {
  const { width, height } = editor.picture;
  const cell = [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
  editor.keyboardCell = cell;
  editor.cursor = cell.map((coordinate) => coordinate + 0.5);
  showStatus(editor);
  render(editor);
}

function announceCursor(editor) {
  const [x, y] = cursorCell(editor);
  announce(editor, `Row ${y}, column ${x}: ${describePixel(editor, x, y)}`);
}

function onFocus(editor) {
  if (!editor.canvas.matches(":focus-visible")) return;
  placeCursor(editor, ...cursorCell(editor));
  announceCursor(editor);
}

function onBlur(editor) {
  if (editor.gesture?.source !== "pointer") leaveGesture(editor);
  onPointerLeave(editor);
}

// One stop of the Tab key for a toolbar; the arrows walk within it.
function rove(toolbar, signal) {
  const buttons = () => [...toolbar.querySelectorAll("button")].filter((button) => button.offsetParent);
  toolbar.querySelectorAll("button").forEach((button, index) => (button.tabIndex = index ? -1 : 0));
  const focus = (button) => {
    for (const other of toolbar.querySelectorAll("button")) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  };
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = buttons();
    focus(all[(all.indexOf(event.target) + step + all.length) % all.length]);
  };
  toolbar.addEventListener("keydown", onKey, { signal });
}

// --- Buttons and inputs ----------------------------------------------------------------------------------------------

function onClick(editor, event) {
  const button = event.target.closest("button");
  if (!button) return;
  const { tool, action, size, color, nudge: direction, step } = button.dataset;
  if (tool) chooseTool(editor, tool);
  if (action && button.getAttribute("aria-disabled") !== "true") act(editor, action);
  if (size) chooseSize(editor, Number(size));
  if (color) setInk(editor, fromHex(color), editor.alpha);
  if (step) editor.askForSample(Number(step));
  if (direction) {
    change(editor, (picture) => moved(picture, ...ARROWS[direction]));
    announcePlace(editor);
  }
}

function onInput(editor, { target }) {
  if (target.name === "color") setInk(editor, fromHex(target.value), editor.alpha);
  if (target.name === "level") setInk(editor, Array(3).fill(Number(target.value)), editor.alpha);
  if (target.name === "opacity") setInk(editor, editor.color, Math.round((Number(target.value) * 255) / 100));
}

// --- Pictures from the clipboard -------------------------------------------------------------------------------------

function onPaste(editor, event) {
  const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
  if (!file || !editor.pastes) return;
  event.preventDefault();
  event.stopPropagation();
  takePasted(editor, file);
}

async function pasteFromClipboard(editor) {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (type) return takePasted(editor, await item.getType(type));
    }
    announceLoudly(editor, "There is no picture in the clipboard");
  } catch {
    announceLoudly(editor, "The browser keeps its clipboard closed: press Ctrl V on the canvas");
  }
}

// Shrunk here, so that a photograph does not travel whole.
async function takePasted(editor, file) {
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, LARGEST_PASTE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    editor.sendPaste(canvas.toDataURL("image/png").split(",")[1]);
    announce(editor, "Pasted");
  } catch {
    announceLoudly(editor, "This picture cannot be read");
  }
}

// For the eye as well: in the line under the canvas, until the pointer moves on.
function announceLoudly(editor, sentence) {
  announce(editor, sentence);
  editor.status.textContent = sentence;
}
