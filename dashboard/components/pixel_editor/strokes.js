// @ts-check
// A gesture is one stroke of mouse, finger or keys; when it ends, the whole picture goes to Python once, named by the
// revision it was drawn on. Each change can be undone.

import { toBase64 } from "../shared/bytes.js";
import { showInk, showPicture } from "./panel.js";
import { render } from "./paint.js";
import { samePixels } from "./raster.js";
import { TOOLS, inkAt } from "./tools.js";

/** @typedef {import("../shared/colours.js").Rgb} Rgb */
/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./editor.js").Gesture} Gesture */
/** @typedef {import("./raster.js").Picture} Picture */
/** @typedef {import("./raster.js").Pixels} Pixels */
/** @typedef {import("./raster.js").Point} Point */

const LONGEST_PAST = 100;

/**
 * @param {Editor} editor
 * @param {Point} point
 * @param {Gesture["source"]} source
 */
export function beginGesture(editor, point, source) {
  editor.gesture = { tool: editor.tool, before: editor.picture.pixels.slice(), start: point, last: point, source };
  extendGesture(editor, point);
}

/**
 * @param {Editor} editor
 * @param {Point} point
 */
export function extendGesture(editor, point) {
  const { gesture } = editor;
  if (!gesture) return;
  const tool = TOOLS[gesture.tool];
  if (tool.fromStart) editor.picture.pixels = gesture.before.slice();
  tool.draw(editor, gesture, point);
  if (tool.picks) pickInk(editor, point);
  gesture.last = point;
  render(editor);
}

/**
 * @param {Editor} editor
 * @param {{keep: boolean}} options whether the stroke counts
 */
export function endGesture(editor, { keep }) {
  if (!editor.gesture) return;
  const { before } = editor.gesture;
  editor.gesture = null;
  if (keep) commit(editor, before);
  else editor.picture.pixels = before;
  showPicture(editor);
}

/**
 * End a gesture because another action comes. A line or rectangle of which only the first corner is set was never
 * finished; anything else was.
 * @param {Editor} editor
 */
export function leaveGesture(editor) {
  if (editor.gesture) endGesture(editor, { keep: editor.gesture.source !== "anchored" });
}

/**
 * @param {Editor} editor
 * @param {Pixels} before
 */
function commit(editor, before) {
  if (samePixels(before, editor.picture.pixels)) return;
  const { past } = editor.picture;
  past.push(before);
  past.splice(0, past.length - LONGEST_PAST);
  editor.picture.future = [];
  sendPicture(editor);
}

/**
 * A change made at once, by a button or a key.
 * @param {Editor} editor
 * @param {(picture: Picture) => Pixels} makePixels
 */
export function change(editor, makePixels) {
  leaveGesture(editor);
  const before = editor.picture.pixels;
  editor.picture.pixels = makePixels(editor.picture);
  commit(editor, before);
  showPicture(editor);
}

/**
 * Go back to the picture before the last change, or forward again; a gesture that is under way is given up instead.
 * @param {Editor} editor
 * @param {"past" | "future"} direction
 * @returns {boolean | null} whether there was anything to go to, or null where a gesture was given up
 */
export function travel(editor, direction) {
  const { picture } = editor;
  if (editor.gesture) {
    endGesture(editor, { keep: false });
    return null;
  }
  const pixels = picture[direction].pop();
  if (!pixels) return false;
  picture[direction === "past" ? "future" : "past"].push(picture.pixels);
  picture.pixels = pixels;
  sendPicture(editor);
  showPicture(editor);
  return true;
}

/** @param {Editor} editor */
export function sendPicture(editor) {
  const { picture } = editor;
  picture.sentAt = performance.now();
  editor.send("stroke", { revision: picture.revision, pixels: toBase64(picture.pixels) });
}

/**
 * @param {Editor} editor
 * @param {Point} point
 */
function pickInk(editor, point) {
  const ink = inkAt(editor, point);
  if (ink) setInk(editor, [ink[0], ink[1], ink[2]], ink[3]);
}

/**
 * @param {Editor} editor
 * @param {Rgb} color
 * @param {number} alpha
 */
export function setInk(editor, color, alpha) {
  Object.assign(editor, { color, alpha });
  showInk(editor);
  render(editor);
}
