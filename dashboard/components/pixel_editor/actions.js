// @ts-check
// What the buttons do, and the letters that stand for them.

import { fromHex } from "../shared/colours.js";
import { ARROWS } from "../shared/keys.js";
import { pasteFromClipboard } from "./clipboard.js";
import { render } from "./paint.js";
import { announce, showSample, showSize, showTools } from "./panel.js";
import { drawnBox, mirrored, moved } from "./raster.js";
import { change, leaveGesture, setInk, travel } from "./strokes.js";
import { TOOLS } from "./tools.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./tools.js").ToolName} ToolName */

/** @type {Record<string, ToolName>} */
const TOOL_KEYS = { p: "pen", e: "eraser", l: "line", r: "rectangle", f: "fill", i: "eyedropper", m: "move" };
/** @type {Record<string, string>} */
const ACTION_KEYS = { h: "mirror", s: "sample", n: "next", Delete: "clear", Backspace: "clear" };

/**
 * @param {Editor} editor
 * @param {ToolName} tool
 */
function chooseTool(editor, tool) {
  leaveGesture(editor);
  if (tool === "rectangle" && editor.tool === "rectangle") editor.filled = !editor.filled;
  editor.tool = tool;
  showTools(editor);
  render(editor);
  announce(editor, editor.root.querySelector(`[data-tool=${tool}]`)?.getAttribute("aria-label") ?? tool);
}

/**
 * @param {Editor} editor
 * @param {number} size
 */
function chooseSize(editor, size) {
  editor.size = size;
  showSize(editor);
  render(editor);
  announce(editor, `Brush ${size}`);
}

/**
 * @param {Editor} editor
 * @param {string} action
 */
export function act(editor, action) {
  if (action === "undo") announceTravel(editor, travel(editor, "past"), "Undone", "Nothing to undo");
  if (action === "redo") announceTravel(editor, travel(editor, "future"), "Redone", "Nothing to redo");
  if (action === "mirror") {
    change(editor, mirrored);
    announce(editor, "Mirrored");
  }
  if (action === "clear") {
    change(editor, ({ pixels }) => new Uint8ClampedArray(pixels.length));
    announce(editor, "Cleared");
  }
  if (action === "paste") pasteFromClipboard(editor);
  if (action === "next") editor.send("sample", 1);
  if (action === "sample" && editor.sample) {
    editor.sampleShown = !editor.sampleShown;
    showSample(editor);
    announce(editor, editor.sampleShown ? "Sample image shown" : "Sample image hidden");
  }
}

/**
 * @param {Editor} editor
 * @param {boolean | null} done
 * @param {string} yes
 * @param {string} no
 */
function announceTravel(editor, done, yes, no) {
  if (done !== null) announce(editor, done ? yes : no);
}

/**
 * Say where what is drawn lies now.
 * @param {Editor} editor
 */
export function announcePlace(editor) {
  const box = drawnBox(editor.picture);
  announce(editor, box ? `Top left at row ${box.top}, column ${box.left}` : "Nothing to move");
}

/**
 * Do what a letter stands for; returns whether it stands for anything.
 * @param {Editor} editor
 * @param {string} key
 */
export function onLetter(editor, key) {
  if (key in TOOL_KEYS) chooseTool(editor, TOOL_KEYS[key]);
  else if (key in ACTION_KEYS) act(editor, ACTION_KEYS[key]);
  else if (["1", "2", "3", "4"].includes(key)) chooseSize(editor, Number(key));
  else return false;
  return true;
}

/**
 * @param {Editor} editor
 * @param {Event} event
 */
export function onClick(editor, event) {
  const clicked = /** @type {Element} */ (event.target).closest("button");
  if (!clicked) return;
  const { tool, action, size, color, nudge: direction, step } = clicked.dataset;
  if (tool && tool in TOOLS) chooseTool(editor, /** @type {ToolName} */ (tool));
  if (action && clicked.getAttribute("aria-disabled") !== "true") act(editor, action);
  if (size) chooseSize(editor, Number(size));
  if (color) setInk(editor, fromHex(color), editor.alpha);
  if (step) editor.send("sample", Number(step));
  if (direction) {
    change(editor, (picture) => moved(picture, ...ARROWS[direction]));
    announcePlace(editor);
  }
}

/**
 * @param {Editor} editor
 * @param {Event} event
 */
export function onInput(editor, event) {
  const { name, value } = /** @type {HTMLInputElement} */ (event.target);
  const level = Number(value);
  if (name === "color") setInk(editor, fromHex(value), editor.alpha);
  if (name === "level") setInk(editor, [level, level, level], editor.alpha);
  if (name === "opacity") setInk(editor, editor.color, Math.round((level * 255) / 100));
}
