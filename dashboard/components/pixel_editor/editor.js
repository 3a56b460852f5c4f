// @ts-check
// What the editor remembers while it is on the page, and its pictures, which outlive it.

import { fromBase64 } from "../shared/bytes.js";
import { contextOf } from "../shared/canvas.js";
import { find } from "../shared/life.js";
import { samePixels } from "./raster.js";

/** @typedef {import("../shared/colours.js").Rgb} Rgb */
/** @typedef {import("./raster.js").Picture} Picture */
/** @typedef {import("./raster.js").Pixels} Pixels */
/** @typedef {import("./raster.js").Point} Point */
/** @typedef {import("./tools.js").ToolName} ToolName */

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {string} revision
 * @property {number} width
 * @property {number} height
 * @property {string} pixels RGBA
 * @property {string | null} background RGB
 * @property {boolean} grey
 * @property {[number: number, count: number] | null} samples
 * @property {boolean} paste
 */

/**
 * A picture with its past, under the revision that Python gave it.
 * @typedef {Picture & {revision: string, past: Pixels[], future: Pixels[], sentAt: number}} Sheet
 */

/**
 * A stroke that is under way. A pointer draws while it is down, "held" while a key is; "anchored" waits for its other
 * end, and "nudge" moves what is drawn while an arrow is held.
 * @typedef {object} Gesture
 * @property {ToolName} tool
 * @property {"pointer" | "held" | "anchored" | "nudge"} source
 * @property {Pixels} before
 * @property {Point} start
 * @property {Point} last
 */

/**
 * @typedef {object} Editor
 * @property {HTMLElement} root
 * @property {HTMLCanvasElement} canvas
 * @property {CanvasRenderingContext2D} context of the canvas
 * @property {HTMLElement} stage
 * @property {HTMLElement} status
 * @property {HTMLElement} spoken
 * @property {number} frame the animation frame that is asked for, or 0
 * @property {number} cell edge of a picture's pixel, in device pixels
 * @property {Sheet} picture
 * @property {boolean | null} grey
 * @property {CanvasRenderingContext2D | null} sample of a canvas that shows the sample image
 * @property {string | null} sampleText what the sample was made from
 * @property {boolean} sampleShown
 * @property {boolean} pastes whether pictures may be pasted
 * @property {ToolName} tool
 * @property {boolean} filled whether rectangles are
 * @property {number} size of the brush
 * @property {Rgb} color
 * @property {number} alpha
 * @property {Point | null} cursor shown there; null hides it
 * @property {Point | null} keyboardCell where the arrows continue from
 * @property {Gesture | null} gesture
 * @property {(name: "stroke" | "sample" | "paste", value: unknown) => void} send
 */

const MOST_SHEETS = 8;

/** @type {Map<string, Sheet>} */
const sheets = new Map(); // by revision

/**
 * @param {ParentNode} parent
 * @returns {Editor}
 */
export function createEditor(parent) {
  const canvas = find(parent, "canvas", HTMLCanvasElement);
  return {
    root: find(parent, ".editor", HTMLElement),
    canvas,
    context: contextOf(canvas),
    stage: find(parent, ".stage", HTMLElement),
    status: find(parent, ".status", HTMLElement),
    spoken: find(parent, ".spoken", HTMLElement),
    frame: 0,
    cell: 1,
    picture: { revision: "", width: 0, height: 0, pixels: new Uint8ClampedArray(), past: [], future: [], sentAt: 0 },
    grey: null,
    sample: null,
    sampleText: null,
    sampleShown: true,
    pastes: false,
    tool: "pen",
    filled: true,
    size: 1,
    color: [255, 255, 255],
    alpha: 255,
    cursor: null,
    keyboardCell: null,
    gesture: null,
    send: () => {},
  };
}

/**
 * The sheet of a revision. A new one continues the past of the one before it, so that a picture put there from outside
 * can be undone like a stroke, unless its size makes that senseless.
 * @param {Data} data
 * @param {Sheet} before
 */
export function sheetOf({ revision, width, height, pixels: text }, before) {
  const known = sheets.get(revision);
  if (known) return known;
  const pixels = new Uint8ClampedArray(fromBase64(text));
  /** @type {Sheet} */
  const sheet = { revision, width, height, pixels, past: [], future: [], sentAt: 0 };
  if (before.width === width && before.height === height) {
    sheet.past = [...before.past];
    if (!samePixels(before.pixels, pixels)) sheet.past.push(before.pixels);
  }
  sheets.set(revision, sheet);
  const [oldest] = sheets.keys();
  if (sheets.size > MOST_SHEETS) sheets.delete(oldest);
  return sheet;
}
