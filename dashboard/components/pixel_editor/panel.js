// @ts-check
// The controls around the canvas, the line under it, and what a screen reader hears.

import { toHex } from "../shared/colours.js";
import { find, write } from "../shared/life.js";
import { render } from "./paint.js";
import { contains, drawnBox, pixelAt, pixelUnder } from "./raster.js";

/** @typedef {import("./editor.js").Data} Data */
/** @typedef {import("./editor.js").Editor} Editor */

/**
 * @param {Editor} editor
 * @param {string} selector
 */
function button({ root }, selector) {
  return find(root, selector, HTMLButtonElement);
}

/**
 * @param {Editor} editor
 * @param {string} selector
 * @returns {NodeListOf<HTMLButtonElement>}
 */
function buttons({ root }, selector) {
  return root.querySelectorAll(selector);
}

/** @param {Editor} editor */
export function showTools(editor) {
  editor.root.dataset.tool = editor.tool;
  for (const choice of buttons(editor, "[data-tool]")) {
    choice.setAttribute("aria-pressed", String(choice.dataset.tool === editor.tool));
  }
  const rectangle = button(editor, "[data-tool=rectangle]");
  rectangle.classList.toggle("outlined", !editor.filled);
  rectangle.setAttribute("aria-label", editor.filled ? "Rectangle, filled" : "Rectangle, outlined");
  rectangle.dataset.tip = `Rectangle · click again for ${editor.filled ? "outline" : "filled"}`;
}

/** @param {Editor} editor */
export function showInk(editor) {
  const { root, color, alpha } = editor;
  const hex = toHex(color);
  const opacity = String(asPercent(alpha));
  const level = String(color[0]);
  for (const swatch of buttons(editor, "[data-color]")) {
    swatch.setAttribute("aria-pressed", String(swatch.dataset.color === hex));
  }
  root.style.setProperty("--ink", hex);
  find(root, "[name=color]", HTMLInputElement).value = hex;
  find(root, "[name=level]", HTMLInputElement).value = level;
  find(root, "[name=opacity]", HTMLInputElement).value = opacity;
  write(root, ".color-value", hex);
  write(root, ".level-value", level);
  write(root, ".opacity-value", `${opacity}%`);
}

/** @param {Editor} editor */
export function showSize(editor) {
  for (const choice of buttons(editor, "[data-size]")) {
    choice.setAttribute("aria-pressed", String(Number(choice.dataset.size) === editor.size));
  }
}

/** @param {Editor} editor */
export function showPicture(editor) {
  showHistory(editor);
  showStatus(editor);
  render(editor);
}

/** @param {Editor} editor */
function showHistory(editor) {
  const { past, future } = editor.picture;
  const empty = drawnBox(editor.picture) === null;
  const idle = { undo: past.length === 0, redo: future.length === 0, mirror: empty, clear: empty };
  for (const [action, disabled] of Object.entries(idle)) {
    // Not `disabled`: a button that loses the focus while it is being used takes the keyboard user elsewhere.
    button(editor, `[data-action=${action}]`).setAttribute("aria-disabled", String(disabled));
  }
}

/** @param {Editor} editor */
export function showSample(editor) {
  const toggle = button(editor, "[data-action=sample]");
  toggle.hidden = !editor.sample;
  toggle.setAttribute("aria-pressed", String(editor.sampleShown));
  render(editor);
}

/**
 * What Python offers: other samples, and whether pictures may be pasted.
 * @param {Editor} editor
 * @param {Data} data
 */
export function showOffers(editor, { samples, paste }) {
  find(editor.root, ".samples", HTMLElement).hidden = !samples;
  if (samples) write(editor.root, ".sample-number", `sample ${samples[0] + 1} of ${samples[1]}`);
  editor.pastes = paste;
  button(editor, "[data-action=paste]").hidden = !paste || !navigator.clipboard?.read;
}

/** @param {Editor} editor */
export function showStatus(editor) {
  const { picture, cursor, status } = editor;
  const [x, y] = cursor ? pixelUnder(cursor) : [-1, -1];
  status.textContent = contains(picture, x, y)
    ? `row ${y}, column ${x} · ${describePixel(editor, x, y)}`
    : `${picture.width} × ${picture.height} pixels`;
}

/**
 * @param {Editor} editor
 * @param {number} x
 * @param {number} y
 */
export function describePixel({ root, picture }, x, y) {
  const [r, g, b, a] = pixelAt(picture, x, y);
  if (a === 0) return "empty";
  const hex = toHex([r, g, b]);
  /** @type {HTMLElement | null} */
  const swatch = root.querySelector(`[data-color="${hex}"]`);
  const name = swatch?.dataset.tip?.toLowerCase() ?? (r === g && g === b ? `grey ${r}` : hex);
  return a === 255 ? name : `${name}, ${asPercent(a)}%`;
}

/** @param {number} alpha */
function asPercent(alpha) {
  return Math.max(1, Math.round((alpha * 100) / 255));
}

/**
 * Say a sentence to screen readers. The same sentence twice would be read once, so the region is emptied first.
 * @param {Editor} editor
 * @param {string} sentence
 */
export function announce({ spoken }, sentence) {
  spoken.textContent = "";
  requestAnimationFrame(() => (spoken.textContent = sentence));
}

/**
 * Say it to the eye as well: in the line under the canvas, until the pointer moves on.
 * @param {Editor} editor
 * @param {string} sentence
 */
export function announceLoudly(editor, sentence) {
  announce(editor, sentence);
  editor.status.textContent = sentence;
}
