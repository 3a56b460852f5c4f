// @ts-check
// A trigger on an image, in somebody's hand. Python owns where it is; while the browser has changed it since Python
// last heard of it, the browser's own is shown, so that no rerun takes it out of the hand. Python is told of a change
// at once, and of the next one when it has answered: it works on the newest place only, as fast as it can.

import { canvasOf, contextOf, imageOf, pointerOn } from "../shared/canvas.js";
import { clamp } from "../shared/geometry.js";
import { ARROWS, isCommand, keepKeys } from "../shared/keys.js";
import { component, find, write } from "../shared/life.js";

/** @typedef {import("../shared/geometry.js").Spot} Spot */
/** @typedef {import("../shared/life.js").Answers} Answers */
/** @typedef {[height: number, width: number]} Size */
/** @typedef {{top: number, left: number, side: number, opacity: number, on: boolean}} Placing */

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {string} image RGB
 * @property {string} trigger RGBA, as it was trained
 * @property {Size} size
 * @property {Size} triggerSize
 * @property {[side: number, height: number, width: number][]} sizes that the trigger can have, ascending
 * @property {Placing} own as it was trained
 * @property {Placing} now
 * @property {boolean} hasSwitch
 * @property {string} thing
 * @property {[name: string, colour: string] | null} seen
 * @property {string} note
 * @property {number} moves how many changes made here Python knows of
 * @property {number} side longest edge in CSS pixels
 * @property {boolean} compact
 */

/**
 * @typedef {object} View
 * @property {HTMLElement} root
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLInputElement} size
 * @property {HTMLInputElement} opacity
 * @property {HTMLElement} switch
 * @property {Data | null} data
 * @property {HTMLCanvasElement | null} image
 * @property {ImageData | null} trigger
 * @property {Placing} now
 * @property {boolean} resting
 * @property {number} moves made here so far
 * @property {number} sent how many of them Python was told
 * @property {number} answered how many of them Python has answered
 * @property {Spot | null} centre of the trigger since its size is being changed, however whole pixels round it
 * @property {Spot | null} grip where inside the trigger it is held, in pixels of the image
 * @property {Spot | null} tap where a finger touched the image beside the trigger, which may be the start of a scroll
 * @property {number} patience a timer: an answer that never comes is waited for this long
 * @property {number} pause a timer: when no key was pressed for a moment, the hand rests
 * @property {(moved: Placing & {moves: number, resting: boolean}) => void} send
 */

const PATIENCE_MS = 3000;
const PAUSE_MS = 350;
const SCALE = 12; // canvas pixels an image pixel, for a crisp outline
const FINGER_PX = 14; // how far beside the trigger a finger may take it

export default component(createView, receive);

// --- Life ------------------------------------------------------------------------------------------------------------

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
    size: find(parent, "input.size", HTMLInputElement),
    opacity: find(parent, "input.opacity", HTMLInputElement),
    switch: find(parent, ".switch", HTMLElement),
    data: null,
    image: null,
    trigger: null,
    now: { top: 0, left: 0, side: 1, opacity: 1, on: true },
    resting: true,
    moves: 0,
    sent: 0,
    answered: 0,
    centre: null,
    grip: null,
    tap: null,
    patience: 0,
    pause: 0,
    send: () => {},
  };
  listen(view, ending);
  ending.addEventListener("abort", () => [view.patience, view.pause].forEach(clearTimeout));
  return view;
}

/**
 * @param {View} view
 * @param {AbortSignal} signal
 */
function listen(view, signal) {
  const { root, canvas, size, opacity } = view;
  // A finger on the trigger drags it, and elsewhere scrolls the page.
  canvas.addEventListener("touchstart", (event) => onTouch(view, event), { signal, passive: false });
  canvas.addEventListener("pointerdown", (event) => grab(view, event), { signal });
  canvas.addEventListener("pointermove", (event) => drag(view, event), { signal });
  canvas.addEventListener("pointerup", (event) => release(view, event), { signal });
  canvas.addEventListener("pointercancel", () => cancel(view), { signal });
  canvas.addEventListener("keydown", (event) => onKeyDown(view, event), { signal });
  keepKeys(root, signal);
  for (const input of [size, opacity]) {
    input.addEventListener("input", () => onSlide(view), { signal });
    input.addEventListener("change", () => rest(view), { signal });
  }
  view.switch.addEventListener("click", () => toggle(view), { signal });
  find(root, ".reset", HTMLElement).addEventListener("click", () => reset(view), { signal });
}

/**
 * @param {View} view
 * @param {Data} data
 * @param {Answers} answers
 */
function receive(view, data, { setStateValue }) {
  view.send = (moved) => setStateValue("moved", moved);
  const { image, size, trigger, triggerSize, now, moves } = data;
  if (view.data?.image !== image) view.image = canvasOf(imageOf(image, size[1], size[0], 3));
  if (view.data?.trigger !== trigger) view.trigger = imageOf(trigger, triggerSize[1], triggerSize[0], 4);
  tellSeen(view, data);
  view.data = data;
  if (moves >= view.moves) {
    view.moves = view.sent = moves;
    view.now = { ...now };
  }
  view.answered = Math.max(view.answered, moves);
  dress(view, data);
  draw(view);
  if (view.answered >= view.sent) sendNext(view);
}

/**
 * Write all words and bounds that come from Python.
 * @param {View} view
 * @param {Data} data
 */
function dress({ root, size, canvas }, { sizes, hasSwitch, thing, note, seen, side, compact }) {
  root.style.setProperty("--side", `${side}px`);
  root.classList.toggle("compact", compact);
  write(root, ".thing", `the ${thing}`);
  write(root, ".switch span", `${thing[0].toUpperCase()}${thing.slice(1)} on`);
  find(root, ".switch", HTMLElement).hidden = !hasSwitch;
  find(root, ".keys-of-switch", HTMLElement).hidden = !hasSwitch;
  size.max = String(sizes.length - 1);
  const line = find(root, ".note", HTMLElement);
  line.hidden = !note;
  line.textContent = note;
  find(root, ".seen", HTMLElement).hidden = !seen;
  canvas.setAttribute("aria-busy", String(Boolean(note)));
}

/**
 * @param {View} view
 * @param {Data} data
 */
function tellSeen({ root, data: before }, { seen }) {
  if (!seen) return;
  const [name, colour] = seen;
  write(root, ".chip b", name);
  find(root, ".chip i", HTMLElement).style.background = colour;
  if (before?.seen && before.seen[0] !== name) write(root, ".spoken", `The model sees ${name}`);
}

// --- What changes ----------------------------------------------------------------------------------------------------

/**
 * Height and width of the trigger at a size.
 * @param {Data} data
 * @param {number} side
 * @returns {Size}
 */
function sizeAt({ sizes }, side) {
  const [, height, width] = sizes.find((one) => one[0] === side) ?? sizes[0];
  return [height, width];
}

/**
 * Take a change over, as far as the whole trigger stays on the image, and tell Python.
 * @param {View} view
 * @param {Partial<Placing>} wanted
 * @param {boolean} resting
 */
function change(view, wanted, resting) {
  const { data } = view;
  if (!data) return;
  const next = { ...view.now, ...wanted };
  if ("top" in wanted) view.centre = null;
  const [height, width] = sizeAt(data, next.side);
  next.top = clamp(next.top, 0, data.size[0] - height);
  next.left = clamp(next.left, 0, data.size[1] - width);
  const same = /** @type {(keyof Placing)[]} */ (Object.keys(next)).every((name) => next[name] === view.now[name]);
  if (same && resting === view.resting) return;
  view.now = next;
  view.resting = resting;
  view.moves += 1;
  clearTimeout(view.pause);
  if (!same) {
    draw(view);
    write(view.root, ".spoken", inWords(view.now));
  }
  if (view.answered >= view.sent) sendNext(view);
}

/** @param {View} view */
function sendNext(view) {
  clearTimeout(view.patience);
  if (view.sent === view.moves) return;
  view.sent = view.moves;
  view.patience = setTimeout(() => {
    view.answered = view.sent;
    sendNext(view);
  }, PATIENCE_MS);
  view.send({ moves: view.moves, resting: view.resting, ...view.now });
}

/** @param {View} view */
function rest(view) {
  change(view, {}, true);
}

/** @param {View} view */
function restSoon(view) {
  view.pause = setTimeout(() => rest(view), PAUSE_MS);
}

/** @param {View} view */
function toggle(view) {
  if (view.data?.hasSwitch) change(view, { on: !view.now.on }, true);
}

/** @param {View} view */
function reset(view) {
  if (view.data) change(view, view.data.own, true);
}

/**
 * Change the size about the trigger's centre.
 * @param {View} view
 * @param {number} place of the new size among all of them
 */
function resize(view, place) {
  const { data, now } = view;
  if (!data) return;
  const [side, height, width] = data.sizes[clamp(place, 0, data.sizes.length - 1)];
  const [before, wide] = sizeAt(data, now.side);
  const centre = view.centre ?? { x: now.left + wide / 2, y: now.top + before / 2 };
  const [top, left] = [Math.round(centre.y - height / 2), Math.round(centre.x - width / 2)];
  change(view, { side, top, left, on: true }, false);
  view.centre = centre;
}

/** @param {View} view */
function placeOfSize({ data, now }) {
  return data ? data.sizes.findIndex((one) => one[0] === now.side) : 0;
}

/** @param {View} view */
function onSlide(view) {
  if (Number(view.size.value) !== placeOfSize(view)) resize(view, Number(view.size.value));
  else change(view, { opacity: Number(view.opacity.value) / 100, on: true }, false);
}

// --- Mouse, finger and keys ------------------------------------------------------------------------------------------

/**
 * Where inside the trigger a pointer takes it; null beside it.
 * @param {View} view
 * @param {{clientX: number, clientY: number}} pointer
 * @param {boolean} finger
 * @returns {Spot | null}
 */
function gripOf({ canvas, data, now }, pointer, finger) {
  if (!data || !now.on) return null;
  const [rows, columns] = data.size;
  const [height, width] = sizeAt(data, now.side);
  const { x, y } = pointerOn(canvas, pointer, { width: columns, height: rows });
  const slack = finger ? (FINGER_PX * columns) / canvas.getBoundingClientRect().width : 0;
  const inside =
    x >= now.left - slack && x < now.left + width + slack && y >= now.top - slack && y < now.top + height + slack;
  return inside ? { x: x - now.left, y: y - now.top } : null;
}

/**
 * @param {View} view
 * @param {TouchEvent} event
 */
function onTouch(view, event) {
  if (event.touches.length === 1 && gripOf(view, event.touches[0], true)) event.preventDefault();
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function grab(view, event) {
  if (!view.data || event.button !== 0) return;
  const finger = event.pointerType === "touch";
  const grip = gripOf(view, event, finger);
  view.tap = finger && !grip ? { x: event.clientX, y: event.clientY } : null;
  if (view.tap) return;
  const [height, width] = sizeAt(view.data, view.now.side);
  // Grabbed beside the trigger, the image brings it under the pointer.
  view.grip = grip ?? { x: width / 2, y: height / 2 };
  view.canvas.setPointerCapture(event.pointerId);
  view.canvas.classList.add("dragging");
  view.canvas.focus();
  drag(view, event);
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function drag(view, event) {
  const { data, grip } = view;
  if (!data || !grip) return;
  const { x, y } = pointerOn(view.canvas, event, { width: data.size[1], height: data.size[0] });
  change(view, { top: Math.round(y - grip.y), left: Math.round(x - grip.x), on: true }, false);
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function release(view, event) {
  if (view.tap && view.data) {
    const [height, width] = sizeAt(view.data, view.now.side);
    view.grip = { x: width / 2, y: height / 2 };
    drag(view, event);
  }
  if (view.grip) rest(view);
  cancel(view);
}

/** @param {View} view */
function cancel(view) {
  const held = view.grip !== null;
  view.grip = view.tap = null;
  view.canvas.classList.remove("dragging");
  if (held) rest(view);
}

/**
 * @param {View} view
 * @param {KeyboardEvent} event
 */
function onKeyDown(view, event) {
  if (!view.data || isCommand(event)) return;
  const { now } = view;
  const step = ARROWS[event.key];
  /** @type {Record<string, () => void>} */
  const acts = {
    "+": () => resize(view, placeOfSize(view) + 1),
    "=": () => resize(view, placeOfSize(view) + 1), // the same key without Shift
    "-": () => resize(view, placeOfSize(view) - 1),
    " ": () => toggle(view),
    Enter: () => toggle(view),
    r: () => reset(view),
    R: () => reset(view),
  };
  if (step) {
    const length = event.shiftKey ? 4 : 1;
    change(view, { top: now.top + step[1] * length, left: now.left + step[0] * length, on: true }, false);
  } else if (acts[event.key]) acts[event.key]();
  else return;
  event.preventDefault();
  if (!view.resting) restSoon(view);
}

// --- What is seen ----------------------------------------------------------------------------------------------------

/** @param {Placing} now */
function inWords({ top, left, side, opacity, on }) {
  if (!on) return "off";
  return `row ${top}, column ${left}, size ${side}, opacity ${Math.round(100 * opacity)}%`;
}

/** @param {View} view */
function draw(view) {
  const { root, canvas, data, image, now } = view;
  if (!data || !image) return;
  view.size.value = String(placeOfSize(view));
  view.size.setAttribute("aria-valuetext", `${now.side} pixels`);
  view.opacity.value = String(Math.round(100 * now.opacity));
  view.opacity.setAttribute("aria-valuetext", `${view.opacity.value}%`);
  find(root, ".switch", HTMLElement).setAttribute("aria-checked", String(now.on));
  const where = now.on ? `with the ${data.thing} at row ${now.top}, column ${now.left}` : `without the ${data.thing}`;
  canvas.setAttribute("aria-label", `Test image ${where}`);
  const [height, width] = data.size.map((pixels) => pixels * SCALE);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, width, height);
  if (now.on) drawTrigger(view, context, data);
}

/**
 * @param {View} view
 * @param {CanvasRenderingContext2D} context
 * @param {Data} data
 */
function drawTrigger({ trigger, now }, context, data) {
  if (!trigger) return;
  const size = sizeAt(data, now.side);
  const [y, x, height, width] = [now.top, now.left, ...size].map((pixels) => pixels * SCALE);
  context.globalAlpha = now.opacity;
  context.drawImage(canvasOf(resized(trigger, size)), x, y, width, height);
  context.globalAlpha = 1;
  context.lineWidth = 2;
  for (const { colour, dash } of [{ colour: "#000", dash: [] }, { colour: "#fff", dash: [6, 6] }]) {
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.strokeRect(x + 1, y + 1, width - 2, height - 2);
  }
}

/**
 * A picture at another size, each pixel that of the old one which lies nearest to it: as `resized` in Python.
 * @param {ImageData} picture
 * @param {Size} size
 */
function resized(picture, [height, width]) {
  const image = new ImageData(width, height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const y = Math.floor(((row + 0.5) * picture.height) / height);
      const x = Math.floor(((column + 0.5) * picture.width) / width);
      const from = 4 * (y * picture.width + x);
      image.data.set(picture.data.subarray(from, from + 4), 4 * (row * width + column));
    }
  }
  return image;
}
