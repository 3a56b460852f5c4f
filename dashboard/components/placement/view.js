// @ts-check
// A trigger on an image, to be dragged about. Python owns its place; while the browser has moved the trigger since
// Python last heard of it, the browser's place is shown, so that no rerun takes it out of a hand.

import { canvasOf, contextOf, imageOf, pointerOn } from "../shared/canvas.js";
import { clamp } from "../shared/geometry.js";
import { ARROWS, isCommand, keepKeys } from "../shared/keys.js";
import { component, find, write } from "../shared/life.js";

/** @typedef {import("../shared/geometry.js").Spot} Spot */
/** @typedef {import("../shared/life.js").Answers} Answers */
/** @typedef {[height: number, width: number]} Size */

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {string} image RGB
 * @property {string} trigger RGBA
 * @property {Size} size
 * @property {Size} triggerSize
 * @property {[top: number, left: number]} place
 * @property {number} moves how many moves made here Python knows of
 * @property {number} side longest edge in CSS pixels
 */

/**
 * @typedef {object} View
 * @property {HTMLElement} root
 * @property {HTMLCanvasElement} canvas
 * @property {Data | null} data
 * @property {HTMLCanvasElement | null} image
 * @property {HTMLCanvasElement | null} trigger
 * @property {number} top
 * @property {number} left
 * @property {number} moves made here so far
 * @property {number} sent how many of them Python was told
 * @property {Spot | null} grip where inside the trigger it is held, in pixels of the image
 * @property {number} timer
 * @property {(moved: {moves: number, top: number, left: number}) => void} send
 */

const SEND_MS = 180; // how often Python is told during a drag
const SCALE = 12; // canvas pixels an image pixel, for a crisp outline

export default component(createView, receive);

/**
 * @param {ParentNode} parent
 * @param {AbortSignal} ending
 * @returns {View}
 */
function createView(parent, ending) {
  /** @type {View} */
  const view = {
    root: find(parent, ".placement", HTMLElement),
    canvas: find(parent, "canvas", HTMLCanvasElement),
    data: null,
    image: null,
    trigger: null,
    top: 0,
    left: 0,
    moves: 0,
    sent: 0,
    grip: null,
    timer: 0,
    send: () => {},
  };
  const { canvas } = view;
  canvas.addEventListener("pointerdown", (event) => grab(view, event), { signal: ending });
  canvas.addEventListener("pointermove", (event) => drag(view, event), { signal: ending });
  canvas.addEventListener("pointerup", () => release(view), { signal: ending });
  canvas.addEventListener("pointercancel", () => release(view), { signal: ending });
  canvas.addEventListener("keydown", (event) => onKeyDown(view, event), { signal: ending });
  keepKeys(canvas, ending);
  ending.addEventListener("abort", () => clearTimeout(view.timer));
  return view;
}

/**
 * @param {View} view
 * @param {Data} data
 * @param {Answers} answers
 */
function receive(view, data, { setStateValue }) {
  view.send = (moved) => setStateValue("moved", moved);
  const { image, size, trigger, triggerSize, place, moves, side } = data;
  if (view.data?.image !== image) view.image = canvasOf(imageOf(image, size[1], size[0], 3));
  if (view.data?.trigger !== trigger) view.trigger = canvasOf(imageOf(trigger, triggerSize[1], triggerSize[0], 4));
  view.data = data;
  view.root.style.setProperty("--side", `${side}px`);
  if (moves >= view.moves) {
    view.moves = moves;
    [view.top, view.left] = place;
  }
  [view.top, view.left] = within(data, view.top, view.left);
  draw(view);
}

/**
 * The place nearest to this one where the whole trigger lies on the image.
 * @param {Data} data
 * @param {number} top
 * @param {number} left
 */
function within({ size, triggerSize }, top, left) {
  return [clamp(top, 0, size[0] - triggerSize[0]), clamp(left, 0, size[1] - triggerSize[1])];
}

/** @param {View} view */
function draw({ canvas, data, image, trigger, top, left }) {
  if (!data || !image || !trigger) return;
  const [height, width] = data.size.map((pixels) => pixels * SCALE);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, width, height);
  const box = { x: left * SCALE, y: top * SCALE, width: trigger.width * SCALE, height: trigger.height * SCALE };
  context.drawImage(trigger, box.x, box.y, box.width, box.height);
  context.lineWidth = 2;
  for (const { colour, dash } of [{ colour: "#000", dash: [] }, { colour: "#fff", dash: [6, 6] }]) {
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.strokeRect(box.x + 1, box.y + 1, box.width - 2, box.height - 2);
  }
  canvas.setAttribute("aria-label", `Test image with the trigger at row ${top}, column ${left}`);
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function grab(view, event) {
  const { canvas, data, top, left } = view;
  if (!data || event.button !== 0) return;
  const [height, width] = data.triggerSize;
  const { x, y } = placeOf(canvas, data, event);
  const inside = x >= left && x < left + width && y >= top && y < top + height;
  // Grabbed outside the trigger, the image brings it under the pointer.
  view.grip = inside ? { x: x - left, y: y - top } : { x: width / 2, y: height / 2 };
  canvas.setPointerCapture(event.pointerId);
  canvas.classList.add("dragging");
  canvas.focus();
  drag(view, event);
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function drag(view, event) {
  if (!view.data || !view.grip) return;
  const { x, y } = placeOf(view.canvas, view.data, event);
  moveTo(view, view.data, Math.round(y - view.grip.y), Math.round(x - view.grip.x));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Data} data
 * @param {PointerEvent} event
 */
function placeOf(canvas, { size: [height, width] }, event) {
  return pointerOn(canvas, event, { width, height });
}

/** @param {View} view */
function release(view) {
  if (!view.grip) return;
  view.grip = null;
  view.canvas.classList.remove("dragging");
  sendNow(view);
}

/**
 * @param {View} view
 * @param {KeyboardEvent} event
 */
function onKeyDown(view, event) {
  const step = ARROWS[event.key];
  if (!view.data || !step || isCommand(event)) return;
  event.preventDefault();
  const length = event.shiftKey ? 4 : 1;
  moveTo(view, view.data, view.top + step[1] * length, view.left + step[0] * length);
}

/**
 * @param {View} view
 * @param {Data} data
 * @param {number} toTop
 * @param {number} toLeft
 */
function moveTo(view, data, toTop, toLeft) {
  const [top, left] = within(data, toTop, toLeft);
  if (top === view.top && left === view.left) return;
  [view.top, view.left] = [top, left];
  view.moves += 1;
  draw(view);
  write(view.root, ".spoken", `row ${top}, column ${left}`);
  if (!view.timer) view.timer = setTimeout(() => sendNow(view), SEND_MS);
}

/** @param {View} view */
function sendNow(view) {
  clearTimeout(view.timer);
  view.timer = 0;
  if (view.sent === view.moves) return;
  view.sent = view.moves;
  view.send({ moves: view.moves, top: view.top, left: view.left });
}
