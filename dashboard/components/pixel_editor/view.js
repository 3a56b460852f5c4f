// @ts-check
// The editor and Python. Pixels are loaded only where Python's revision is new, so that a rerun in the middle of a
// gesture changes nothing under it.

import { fromBase64 } from "../shared/bytes.js";
import { canvasOf, contextOf, imageOf } from "../shared/canvas.js";
import { keepKeys } from "../shared/keys.js";
import { component } from "../shared/life.js";
import { onClick, onInput } from "./actions.js";
import { onPaste } from "./clipboard.js";
import { createEditor, sheetOf } from "./editor.js";
import {
  onBlur,
  onFocus,
  onKeyDown,
  onKeyUp,
  onPointerDown,
  onPointerEnd,
  onPointerLeave,
  onPointerMove,
  rove,
} from "./hands.js";
import { fitCanvas } from "./paint.js";
import { showOffers, showPicture, showSample, showSize, showTools } from "./panel.js";
import { samePixels } from "./raster.js";
import { endGesture, leaveGesture, sendPicture, setInk } from "./strokes.js";

/** @typedef {import("../shared/life.js").Answers} Answers */
/** @typedef {import("./editor.js").Data} Data */
/** @typedef {import("./editor.js").Editor} Editor */

const SLOWEST_REPLY_MS = 1000;

export default component(openEditor, receive);

/**
 * @param {ParentNode} parent
 * @param {AbortSignal} ending
 */
function openEditor(parent, ending) {
  const editor = createEditor(parent);
  listen(editor, ending);
  showTools(editor);
  showSize(editor);
  ending.addEventListener("abort", () => leaveGesture(editor));
  return editor;
}

/**
 * @param {Editor} editor
 * @param {AbortSignal} signal
 */
function listen(editor, signal) {
  const { root, canvas, stage } = editor;
  // Else the browser takes a fast stroke for a fling, and the tap that follows it for the end of that fling.
  canvas.addEventListener("touchstart", (event) => event.preventDefault(), { signal });
  canvas.addEventListener("pointerdown", (event) => onPointerDown(editor, event), { signal });
  canvas.addEventListener("pointermove", (event) => onPointerMove(editor, event), { signal });
  canvas.addEventListener("pointerup", (event) => onPointerEnd(editor, event), { signal });
  canvas.addEventListener("pointercancel", (event) => onPointerEnd(editor, event), { signal });
  canvas.addEventListener("pointerleave", () => onPointerLeave(editor), { signal });
  canvas.addEventListener("focus", () => onFocus(editor), { signal });
  canvas.addEventListener("blur", () => onBlur(editor), { signal });
  root.addEventListener("keydown", (event) => onKeyDown(editor, event), { signal });
  root.addEventListener("keyup", (event) => onKeyUp(editor, event), { signal });
  root.addEventListener("click", (event) => onClick(editor, event), { signal });
  root.addEventListener("paste", (event) => onPaste(editor, event), { signal });
  root.addEventListener("input", (event) => onInput(editor, event), { signal });
  keepKeys(root, signal);
  const resizes = new ResizeObserver(() => fitCanvas(editor));
  resizes.observe(stage);
  signal.addEventListener("abort", () => resizes.disconnect());
  for (const toolbar of root.querySelectorAll("[role=toolbar]")) rove(/** @type {HTMLElement} */ (toolbar), signal);
}

/**
 * @param {Editor} editor
 * @param {Data} data
 * @param {Answers} answers
 */
function receive(editor, data, { setTriggerValue }) {
  editor.send = setTriggerValue;
  if (editor.grey !== data.grey) offerInks(editor, data.grey);
  receiveSample(editor, data);
  if (editor.picture.revision !== data.revision) load(editor, data);
  else resendIfLost(editor, data);
  showSample(editor);
  showOffers(editor, data);
}

/**
 * @param {Editor} editor
 * @param {boolean} grey
 */
function offerInks(editor, grey) {
  editor.grey = grey;
  editor.root.classList.toggle("grey", grey);
  setInk(editor, grey ? [255, 255, 255] : [255, 214, 10], editor.alpha);
}

/**
 * @param {Editor} editor
 * @param {Data} data
 */
function receiveSample(editor, { background, width, height }) {
  if (editor.sampleText === background) return;
  editor.sampleText = background;
  editor.sample = background === null ? null : contextOf(canvasOf(imageOf(background, width, height, 3)));
}

/**
 * @param {Editor} editor
 * @param {Data} data
 */
function load(editor, data) {
  endGesture(editor, { keep: false });
  const before = editor.picture;
  editor.picture = sheetOf(data, before);
  if (before.width !== data.width || before.height !== data.height) {
    Object.assign(editor, { cursor: null, keyboardCell: null });
    editor.canvas.setAttribute("aria-label", `Drawing, ${data.height} rows by ${data.width} columns`);
    fitCanvas(editor);
  }
  resendIfLost(editor, data);
  showPicture(editor);
}

/**
 * The browser alone writes to a revision, so where Python still has other pixels, a stroke was lost on the way: the
 * connection broke, or Streamlit took the element away while it was sent. A fresh one may just not have arrived yet.
 * @param {Editor} editor
 * @param {Data} data
 */
function resendIfLost(editor, data) {
  const { picture, gesture } = editor;
  if (gesture || performance.now() - picture.sentAt < SLOWEST_REPLY_MS) return;
  if (!samePixels(new Uint8ClampedArray(fromBase64(data.pixels)), picture.pixels)) sendPicture(editor);
}
