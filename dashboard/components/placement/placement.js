/* A trigger on a picture, to be dragged about. Python owns the place; while the browser has moved the trigger since
   Python last heard of it, the browser's place is shown, so that no answer takes it out of a hand. */

const SEND_MS = 180; // how often a drag is told while it goes on
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const SCALE = 12; // canvas pixels an image pixel, for a crisp outline

const views = new WeakMap();

export default function placement({ parentElement, data, setStateValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = createView(parentElement);
    views.set(parentElement, view);
  }
  view.tell = (moved) => setStateValue("moved", moved);
  receive(view, data);
  draw(view);
  return () => {
    if (parentElement.isConnected) return;
    view.listening.abort();
    clearTimeout(view.timer);
    views.delete(parentElement);
  };
}

function createView(root) {
  const view = {
    canvas: root.querySelector("canvas"),
    frame: root.querySelector(".placement"),
    spoken: root.querySelector(".spoken"),
    moves: 0,
    top: 0,
    left: 0,
    grip: null, // where inside the trigger it is held, in pixels of the image
    timer: 0,
    listening: new AbortController(),
  };
  const listen = (name, answer) => view.canvas.addEventListener(name, answer, { signal: view.listening.signal });
  listen("pointerdown", (event) => grab(view, event));
  listen("pointermove", (event) => view.grip && drag(view, event));
  listen("pointerup", () => release(view));
  listen("pointercancel", () => release(view));
  listen("keydown", (event) => onKey(view, event));
  return view;
}

function receive(view, { image, trigger, size, triggerSize, place, moves, side }) {
  [view.height, view.width] = size;
  [view.triggerHeight, view.triggerWidth] = triggerSize;
  if (view.imageText !== image) {
    view.image = pictureOf(image, size, 3);
    view.imageText = image;
  }
  if (view.triggerText !== trigger) {
    view.trigger = pictureOf(trigger, triggerSize, 4);
    view.triggerText = trigger;
  }
  view.frame.style.setProperty("--side", `${side}px`);
  if (moves >= view.moves) {
    view.moves = moves;
    [view.top, view.left] = place;
  }
  view.top = within(view.top, view.height - view.triggerHeight);
  view.left = within(view.left, view.width - view.triggerWidth);
}

function pictureOf(text, [height, width], channels) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const picture = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 4; c++) pixels.data[4 * i + c] = c < channels ? bytes[channels * i + c] : 255;
  }
  picture.getContext("2d").putImageData(pixels, 0, 0);
  return picture;
}

function within(value, most) {
  return Math.min(Math.max(value, 0), most);
}

function draw(view) {
  const { canvas, width, height, left, top, triggerWidth, triggerHeight } = view;
  if (canvas.width !== width * SCALE) canvas.width = width * SCALE;
  if (canvas.height !== height * SCALE) canvas.height = height * SCALE;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(view.image, 0, 0, canvas.width, canvas.height);
  const box = [left * SCALE, top * SCALE, triggerWidth * SCALE, triggerHeight * SCALE];
  pen.drawImage(view.trigger, ...box);
  for (const [colour, dash] of [["#000", []], ["#fff", [6, 6]]]) {
    pen.strokeStyle = colour;
    pen.setLineDash(dash);
    pen.lineWidth = 2;
    pen.strokeRect(box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2);
  }
  canvas.setAttribute("aria-label", `Test image with the trigger at row ${top}, column ${left}`);
}

/** The place of a pointer in pixels of the image. */
function placeOf(view, event) {
  const box = view.canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * view.width,
    y: ((event.clientY - box.top) / box.height) * view.height,
  };
}

function grab(view, event) {
  if (event.button !== 0) return;
  const { x, y } = placeOf(view, event);
  const inside = x >= view.left && x < view.left + view.triggerWidth && y >= view.top && y < view.top + view.triggerHeight;
  // Beside it, the trigger comes under the pointer.
  view.grip = inside ? { x: x - view.left, y: y - view.top } : { x: view.triggerWidth / 2, y: view.triggerHeight / 2 };
  view.canvas.setPointerCapture(event.pointerId);
  view.canvas.classList.add("dragging");
  view.canvas.focus();
  drag(view, event);
}

function drag(view, event) {
  const { x, y } = placeOf(view, event);
  moveTo(view, Math.round(y - view.grip.y), Math.round(x - view.grip.x), SEND_MS);
}

function release(view) {
  if (!view.grip) return;
  view.grip = null;
  view.canvas.classList.remove("dragging");
  sendNow(view);
}

function onKey(view, event) {
  event.stopPropagation(); // Streamlit owns some letters
  const step = STEPS[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const length = event.shiftKey ? 4 : 1;
  moveTo(view, view.top + step[0] * length, view.left + step[1] * length, SEND_MS);
}

function moveTo(view, top, left, delay) {
  const to = [within(top, view.height - view.triggerHeight), within(left, view.width - view.triggerWidth)];
  if (to[0] === view.top && to[1] === view.left) return;
  [view.top, view.left] = to;
  view.moves += 1;
  draw(view);
  view.spoken.textContent = `row ${view.top}, column ${view.left}`;
  if (!view.timer) view.timer = setTimeout(() => sendNow(view), delay);
}

function sendNow(view) {
  clearTimeout(view.timer);
  view.timer = 0;
  if (view.sent === view.moves) return;
  view.sent = view.moves;
  view.tell({ moves: view.moves, top: view.top, left: view.left });
}
