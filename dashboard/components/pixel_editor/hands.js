// @ts-check
// Mouse, finger and keyboard on the canvas.

import { pointerOn } from "../shared/canvas.js";
import { clamp } from "../shared/geometry.js";
import { ARROWS } from "../shared/keys.js";
import { act, announcePlace, onLetter } from "./actions.js";
import { render } from "./paint.js";
import { announce, describePixel, showStatus } from "./panel.js";
import { moved, pixelUnder } from "./raster.js";
import { beginGesture, endGesture, extendGesture, leaveGesture } from "./strokes.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./raster.js").Point} Point */

// --- Pointer ---------------------------------------------------------------------------------------------------------

/**
 * @param {Editor} editor
 * @param {PointerEvent} event
 * @returns {Point}
 */
function pointOf({ canvas, picture }, event) {
  const { x, y } = pointerOn(canvas, event, picture);
  return [x, y];
}

/**
 * @param {Editor} editor
 * @param {PointerEvent} event
 */
export function onPointerDown(editor, event) {
  if (!event.isPrimary || event.button !== 0) return;
  event.preventDefault();
  leaveGesture(editor);
  editor.canvas.focus({ preventScroll: true });
  editor.canvas.setPointerCapture(event.pointerId);
  editor.cursor = pointOf(editor, event);
  beginGesture(editor, editor.cursor, "pointer");
  showStatus(editor);
}

/**
 * @param {Editor} editor
 * @param {PointerEvent} event
 */
export function onPointerMove(editor, event) {
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

/**
 * @param {Editor} editor
 * @param {PointerEvent} event
 */
export function onPointerEnd(editor, event) {
  if (event.isPrimary && editor.gesture?.source === "pointer") endGesture(editor, { keep: true });
  if (event.pointerType !== "mouse") onPointerLeave(editor);
}

/** @param {Editor} editor */
export function onPointerLeave(editor) {
  if (editor.gesture) return;
  editor.cursor = null;
  showStatus(editor);
  render(editor);
}

// --- Keyboard --------------------------------------------------------------------------------------------------------

/**
 * @param {Editor} editor
 * @param {KeyboardEvent} event
 */
export function onKeyDown(editor, event) {
  if (event.ctrlKey || event.metaKey) return onCommandKey(editor, event);
  if (event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const onCanvas = event.target === editor.canvas;
  if ((onCanvas && onCanvasKey(editor, key, event)) || onLetter(editor, key)) event.preventDefault();
}

/**
 * @param {Editor} editor
 * @param {KeyboardEvent} event
 */
function onCommandKey(editor, event) {
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  act(editor, key === "y" || event.shiftKey ? "redo" : "undo");
}

/**
 * Do what a key does on the canvas alone; returns whether it does anything.
 * @param {Editor} editor
 * @param {string} key
 * @param {KeyboardEvent} event
 */
function onCanvasKey(editor, key, event) {
  if (key in ARROWS) onArrow(editor, ARROWS[key], event.shiftKey ? 4 : 1);
  else if (key === " " || key === "Enter") {
    if (!event.repeat) press(editor);
  } else if (key === "Escape" && editor.gesture) {
    endGesture(editor, { keep: false });
    announce(editor, "Cancelled");
  } else return false;
  return true;
}

/**
 * @param {Editor} editor
 * @param {[columns: number, rows: number]} direction
 * @param {number} step
 */
function onArrow(editor, [dx, dy], step) {
  if (editor.gesture?.source === "pointer") return;
  if (editor.tool === "move") {
    nudge(editor, dx * step, dy * step);
    return;
  }
  const [x, y] = cursorCell(editor);
  const point = placeCursor(editor, x + dx * step, y + dy * step);
  if (editor.gesture) extendGesture(editor, point);
  announceCursor(editor);
}

/**
 * Move what is drawn; while the arrow is held, all of it is one change.
 * @param {Editor} editor
 * @param {number} dx
 * @param {number} dy
 */
function nudge(editor, dx, dy) {
  const { picture } = editor;
  editor.gesture ??= { tool: "move", source: "nudge", before: picture.pixels, start: [0, 0], last: [0, 0] };
  picture.pixels = moved(picture, dx, dy);
  announcePlace(editor);
  render(editor);
}

/**
 * Space or Enter. A short press of the pen is a dot, arrows while it is held draw; a line or rectangle takes a press at
 * either end, so that no two keys need holding at once.
 * @param {Editor} editor
 */
function press(editor) {
  const { gesture, tool } = editor;
  if (gesture?.source === "pointer" || tool === "move") return;
  if (gesture) {
    endGesture(editor, { keep: true });
    announce(editor, "Drawn");
    return;
  }
  const point = placeCursor(editor, ...cursorCell(editor));
  const shape = tool === "line" || tool === "rectangle";
  beginGesture(editor, point, shape ? "anchored" : "held");
  if (shape) announce(editor, "Started. Move with the arrow keys. Press Space to finish, Escape to cancel");
  else announceCursor(editor);
}

/**
 * @param {Editor} editor
 * @param {KeyboardEvent} event
 */
export function onKeyUp(editor, event) {
  const source = editor.gesture?.source;
  const released = source === "held" ? [" ", "Enter"] : source === "nudge" ? Object.keys(ARROWS) : [];
  if (released.includes(event.key)) endGesture(editor, { keep: true });
}

/**
 * The pixel that the keyboard is on.
 * @param {Editor} editor
 * @returns {Point}
 */
function cursorCell({ cursor, keyboardCell, picture }) {
  return pixelUnder(cursor ?? keyboardCell ?? [picture.width / 2, picture.height / 2]);
}

/**
 * Put the cursor in the middle of a pixel, or of the nearest one that is in the picture; returns that point.
 * @param {Editor} editor
 * @param {number} x
 * @param {number} y
 * @returns {Point}
 */
function placeCursor(editor, x, y) {
  const { width, height } = editor.picture;
  const [column, row] = [clamp(x, 0, width - 1), clamp(y, 0, height - 1)];
  editor.keyboardCell = [column, row];
  editor.cursor = [column + 0.5, row + 0.5];
  showStatus(editor);
  render(editor);
  return editor.cursor;
}

/** @param {Editor} editor */
function announceCursor(editor) {
  const [x, y] = cursorCell(editor);
  announce(editor, `Row ${y}, column ${x}: ${describePixel(editor, x, y)}`);
}

/** @param {Editor} editor */
export function onFocus(editor) {
  if (!editor.canvas.matches(":focus-visible")) return;
  placeCursor(editor, ...cursorCell(editor));
  announceCursor(editor);
}

/** @param {Editor} editor */
export function onBlur(editor) {
  if (editor.gesture?.source !== "pointer") leaveGesture(editor);
  onPointerLeave(editor);
}

/**
 * Make a toolbar one stop of the Tab key; the arrows move within it.
 * @param {HTMLElement} toolbar
 * @param {AbortSignal} signal
 */
export function rove(toolbar, signal) {
  const all = [...toolbar.querySelectorAll("button")];
  all.forEach((button, index) => (button.tabIndex = index ? -1 : 0));
  /** @type {(event: KeyboardEvent) => void} */
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const shown = all.filter((button) => button.offsetParent);
    const from = shown.findIndex((button) => button === event.target);
    const next = shown[(from + step + shown.length) % shown.length];
    for (const button of all) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  };
  toolbar.addEventListener("keydown", onKey, { signal });
}
