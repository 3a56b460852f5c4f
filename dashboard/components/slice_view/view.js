// @ts-check
// A slice of the decision function: a map of predicted labels that shows the image behind each of its points. What
// never changes under the cursor (map, names, rings, points) is painted once into `view.base`.

import { contextOf } from "../shared/canvas.js";
import { clamp, distance } from "../shared/geometry.js";
import { isCommand, keepKeys } from "../shared/keys.js";
import { component, find, write } from "../shared/life.js";
import { frameIn, fromScreen, toScreen } from "./axes.js";
import { inWords, labelCard, showCard } from "./card.js";
import { drawCursor, drawSelected, paintPlane, themeOf } from "./paint.js";
import { keep, pictureOfSlice } from "./picture.js";
import { cellOf, onMap, placeOfCell, pointAt, unpackPlane } from "./plane.js";

/** @typedef {import("../shared/life.js").Answers} Answers */
/** @typedef {import("./plane.js").PackedSlice} PackedSlice */
/** @typedef {import("./plane.js").Plane} Plane */
/** @typedef {import("./plane.js").Spot} Spot */
/** @typedef {Spot & {by: "pointer" | "keys" | "another map"}} Cursor */

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {PackedSlice} slice
 * @property {number} height of the map in CSS pixels, at most
 * @property {boolean} compact
 * @property {[number, number] | null} selected
 * @property {number} pick how many selections made here Python knows of
 * @property {number | null} growing the share that is there; null once the slice is finished
 * @property {string} group
 * @property {string} key
 */

/**
 * @typedef {object} View
 * @property {HTMLElement} root
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLCanvasElement} base
 * @property {AbortSignal} ending
 * @property {Plane | null} plane
 * @property {string} text what the plane was unpacked from
 * @property {string} painted what the base shows
 * @property {number} ratio device pixels a CSS pixel
 * @property {Cursor | null} cursor
 * @property {Spot | null} pressed where the pointer went down
 * @property {Spot | null} selected
 * @property {number} pick selections made here so far
 * @property {string} group
 * @property {string} key becomes part of the name of the saved picture
 * @property {number} frame the animation frame that is asked for, or 0
 * @property {(selection: {pick: number, point: [number, number] | null}) => void} send
 */

const GRAB_PX = 9; // how near to a point of interest the mouse takes that very point
const TAP_PX = 8; // a touch that moves further is a look, not a choice

/** @type {Set<View>} */
const living = new Set(); // for those of one group to find each other

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
    root: find(parent, ".slice", HTMLElement),
    canvas: find(parent, ".plane", HTMLCanvasElement),
    base: document.createElement("canvas"),
    ending,
    plane: null,
    text: "",
    painted: "",
    ratio: 1,
    cursor: null,
    pressed: null,
    selected: null,
    pick: 0,
    group: "",
    key: "",
    frame: 0,
    send: () => {},
  };
  listen(view);
  living.add(view);
  const resizes = new ResizeObserver(() => paint(view));
  resizes.observe(view.canvas);
  document.fonts.ready.then(() => {
    view.painted = ""; // what was written so far may have been in another font
    paint(view);
  });
  ending.addEventListener("abort", () => {
    resizes.disconnect();
    cancelAnimationFrame(view.frame);
    living.delete(view);
  });
  return view;
}

/**
 * @param {View} view
 * @param {Data} data
 * @param {Answers} answers
 */
function receive(view, data, { setStateValue, setTriggerValue }) {
  view.send = (selection) => setStateValue("selection", selection);
  view.group = data.group;
  view.key = data.key;
  view.root.style.setProperty("--map-edge", `${data.height}px`);
  view.root.classList.toggle("compact", data.compact);
  receivePlane(view, data.slice);
  receiveSelection(view, data);
  showGrowing(view, data.growing);
  paint(view);
  // The next one is asked for only when this one has been seen.
  if (data.growing !== null) afterNextFrame(view, () => setTriggerValue("drawn", data.growing));
}

/**
 * @param {View} view
 * @param {PackedSlice} slice
 */
function receivePlane(view, slice) {
  const text = JSON.stringify(slice);
  if (text === view.text) return;
  view.text = text;
  view.plane = unpackPlane(slice);
  if (view.cursor && !onMap(slice.extent, view.cursor)) view.cursor = null;
  view.canvas.setAttribute("aria-label", slice.description);
  labelCard(view.root, view.plane);
}

/**
 * @param {View} view
 * @param {Data} data
 */
function receiveSelection(view, { slice, selected, pick }) {
  if (pick < view.pick) return; // Python has yet to hear of the newest selection
  view.pick = pick;
  const spot = selected && { x: selected[0], y: selected[1] };
  view.selected = spot && onMap(slice.extent, spot) ? spot : null;
}

/**
 * @param {View} view
 * @param {number | null} growing
 */
function showGrowing(view, growing) {
  view.canvas.setAttribute("aria-busy", String(growing !== null));
  find(view.root, ".growing", HTMLElement).classList.toggle("on", growing !== null);
  find(view.root, ".growing span", HTMLElement).style.width = `${Math.round(100 * (growing ?? 1))}%`;
}

/**
 * @param {View} view
 * @param {() => void} act
 */
function afterNextFrame(view, act) {
  requestAnimationFrame(() => setTimeout(() => view.ending.aborted || act()));
}

// --- People ----------------------------------------------------------------------------------------------------------

/** @param {View} view */
function listen(view) {
  const { canvas, ending: signal } = view;
  canvas.addEventListener("pointerdown", (event) => onPointerDown(view, event), { signal });
  canvas.addEventListener("pointermove", (event) => onPointerMove(view, event), { signal });
  canvas.addEventListener("pointerup", (event) => onPointerUp(view, event), { signal });
  canvas.addEventListener("pointercancel", () => (view.pressed = null), { signal });
  canvas.addEventListener("pointerleave", (event) => onPointerLeave(view, event), { signal });
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && moveCursor(view, restOf(view), "keys"), {
    signal,
  });
  canvas.addEventListener("blur", () => view.cursor?.by === "keys" && moveCursor(view, null, "keys"), { signal });
  canvas.addEventListener("keydown", (event) => onKeyDown(view, event), { signal });
  keepKeys(canvas, signal);
  find(view.root, ".save", HTMLButtonElement).addEventListener("click", () => save(view), { signal });
}

/**
 * @param {View} view
 * @param {Plane} plane
 */
function frameOf({ canvas }, plane) {
  return frameIn(canvas.clientWidth, plane.slice.extent);
}

/**
 * The point of the plane meant by a place on the canvas; null outside the map, unless the nearest will do.
 * @param {View} view
 * @param {PointerEvent} event
 * @param {{nearest: boolean}} options
 * @returns {Spot | null}
 */
function aim(view, event, { nearest }) {
  const { plane } = view;
  const frame = plane && frameOf(view, plane);
  if (!plane || !frame) return null;
  const spot = spotOf(event);
  /** @type {(point: Spot) => number} */
  const away = (point) => distance(toScreen(frame, point), spot);
  const [closest] = [...plane.points].sort((a, b) => away(a) - away(b));
  if (closest && away(closest) <= GRAB_PX) return { x: closest.x, y: closest.y };
  const place = fromScreen(frame, spot);
  return nearest || onMap(frame.extent, place) ? placeOfCell(plane, cellOf(plane.slice, place)) : null;
}

/**
 * @param {PointerEvent} event
 * @returns {Spot}
 */
function spotOf(event) {
  return { x: event.offsetX, y: event.offsetY };
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function onPointerDown(view, event) {
  if (event.button !== 0) return;
  view.pressed = spotOf(event);
  moveCursor(view, aim(view, event, { nearest: false }), "pointer");
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function onPointerMove(view, event) {
  moveCursor(view, aim(view, event, { nearest: view.pressed !== null }), "pointer");
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function onPointerUp(view, event) {
  const moved = view.pressed ? distance(view.pressed, spotOf(event)) : Infinity;
  view.pressed = null;
  const spot = aim(view, event, { nearest: false });
  if (moved <= TAP_PX && spot) select(view, spot);
}

/**
 * @param {View} view
 * @param {PointerEvent} event
 */
function onPointerLeave(view, event) {
  view.pressed = null;
  // A finger that is lifted "leaves" too: the card goes on showing what it pointed at.
  if (event.pointerType !== "touch" && view.cursor?.by === "pointer") moveCursor(view, null, "pointer");
}

/**
 * @param {View} view
 * @param {KeyboardEvent} event
 */
function onKeyDown(view, event) {
  if (isCommand(event)) return;
  const step = event.shiftKey ? 10 : 1;
  /** @type {Record<string, () => void>} */
  const acts = {
    ArrowLeft: () => stepBy(view, -step, 0),
    ArrowRight: () => stepBy(view, step, 0),
    ArrowUp: () => stepBy(view, 0, step),
    ArrowDown: () => stepBy(view, 0, -step),
    Enter: () => select(view, view.cursor ?? restOf(view)),
    Escape: () => select(view, null),
  };
  if (!(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
}

/**
 * What is shown while nobody points at anything.
 * @param {View} view
 * @returns {Spot | null}
 */
function restOf({ plane, selected }) {
  if (!plane) return null;
  return selected ?? plane.points[0] ?? placeOfCell(plane, cellOf(plane.slice, { x: 0, y: 0 }));
}

/**
 * @param {View} view
 * @param {number} columns
 * @param {number} rows
 */
function stepBy(view, columns, rows) {
  const { plane } = view;
  const from = view.cursor ?? restOf(view);
  if (!plane || !from) return;
  const { column, row } = cellOf(plane.slice, from);
  const last = plane.slice.resolution - 1;
  const spot = placeOfCell(plane, { column: clamp(column + columns, 0, last), row: clamp(row + rows, 0, last) });
  moveCursor(view, spot, "keys");
  write(view.root, ".spoken", inWords(plane, spot));
}

/**
 * @param {View} view
 * @param {Spot | null} spot
 * @param {"pointer" | "keys"} by
 */
function moveCursor(view, spot, by) {
  view.cursor = spot && { x: spot.x, y: spot.y, by };
  refresh(view);
  for (const other of living) {
    if (other === view || !other.plane || !view.group || other.group !== view.group) continue;
    const shared = spot && onMap(other.plane.slice.extent, spot);
    other.cursor = shared ? { x: spot.x, y: spot.y, by: "another map" } : null;
    refresh(other);
  }
}

/**
 * @param {View} view
 * @param {Spot | null} spot null clears
 */
function select(view, spot) {
  if (!view.plane || (!spot && !view.selected)) return;
  view.selected = spot && { x: spot.x, y: spot.y };
  view.pick += 1;
  view.send({ pick: view.pick, point: spot && [spot.x, spot.y] });
  write(view.root, ".spoken", spot ? `Selected. ${inWords(view.plane, spot)}` : "Selection cleared.");
  refresh(view);
}

// --- Painting --------------------------------------------------------------------------------------------------------

/** @param {View} view */
function refresh(view) {
  showPlace(view);
  if (!view.frame) view.frame = requestAnimationFrame(() => drawFrame(view));
}

/** @param {View} view */
function showPlace(view) {
  const spot = view.cursor ?? restOf(view);
  if (view.plane && spot) showCard(view.root, view.plane, spot, titleOf(view, view.plane, spot));
}

/**
 * @param {View} view
 * @param {Plane} plane
 * @param {Spot} spot
 */
function titleOf({ selected, cursor }, plane, spot) {
  const point = pointAt(plane, spot);
  const chosen = selected && selected.x === spot.x && selected.y === spot.y;
  if (point) return chosen ? `${point.name}, selected` : point.name;
  if (chosen) return "selected";
  return cursor?.by === "keys" ? "at the cursor" : "under the pointer";
}

/**
 * Show the current data; the base picture is painted anew only if map, theme or size changed.
 * @param {View} view
 */
function paint(view) {
  const width = view.canvas.clientWidth;
  const frame = view.plane && frameOf(view, view.plane);
  if (!view.plane || !frame) return;
  const theme = themeOf(view.root);
  const ratio = clamp(window.devicePixelRatio, 1, 2);
  const looks = [view.text, width, ratio, ...Object.values(theme)].join();
  if (looks !== view.painted) {
    for (const canvas of [view.base, view.canvas]) canvas.width = canvas.height = Math.round(width * ratio);
    view.ratio = view.base.width / width;
    const hidden = paintPlane(contextOf(view.base), view.plane, frame, theme, view.ratio);
    write(view.root, ".ring", view.plane.slice.ringCaption + (hidden ? " Here they are smaller than the marks." : ""));
    view.painted = looks;
  }
  showPlace(view);
  drawFrame(view);
}

/** @param {View} view */
function save({ root, plane, canvas, key }) {
  if (!plane) return;
  const [title, low, high] = [".scale-title", ".low", ".high"].map((part) => find(root, part, HTMLElement).textContent);
  const scale = { title: title ?? "", low: low ?? "", high: high ?? "" };
  const name = `triggerscope-${key.replaceAll(/[^A-Za-z0-9]+/g, "-")}.png`;
  keep(pictureOfSlice(plane, canvas.clientWidth, themeOf(root), scale), name);
}

/** @param {View} view */
function drawFrame(view) {
  const { canvas, base, ratio, plane, selected, cursor } = view;
  view.frame = 0;
  const frame = plane && frameOf(view, plane);
  if (!frame) return;
  const context = contextOf(canvas);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(base, 0, 0);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (selected) drawSelected(context, toScreen(frame, selected));
  if (cursor) drawCursor(context, frame, toScreen(frame, cursor));
}
