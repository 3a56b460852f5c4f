// @ts-check
// What each tool does to the picture.

import { TRANSPARENT, contains, drawRectangle, drawSegment, floodFill, moved, pixelAt, pixelUnder } from "./raster.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./editor.js").Gesture} Gesture */
/** @typedef {import("./raster.js").Ink} Ink */
/** @typedef {import("./raster.js").Point} Point */
/** @typedef {"pen" | "eraser" | "line" | "rectangle" | "fill" | "eyedropper" | "move"} ToolName */

/**
 * @typedef {object} Tool
 * @property {boolean} [brush] whether it draws with the brush
 * @property {boolean} [showsInk] whether the cursor shows what it would draw
 * @property {boolean} [fromStart] whether it begins again from the picture before the gesture at each move
 * @property {boolean} [picks] whether it takes an ink instead of drawing
 * @property {(editor: Editor, gesture: Gesture, point: Point) => void} draw
 */

/** @type {Record<ToolName, Tool>} */
export const TOOLS = {
  pen: { brush: true, showsInk: true, draw: drawFreehand },
  eraser: { brush: true, draw: drawFreehand },
  line: {
    brush: true,
    showsInk: true,
    fromStart: true,
    draw: (editor, { start }, point) => drawSegment(editor.picture, start, point, editor.size, inkOf(editor)),
  },
  rectangle: {
    showsInk: true,
    fromStart: true,
    draw: (editor, { start }, point) =>
      drawRectangle(editor.picture, start, point, editor.filled ? Infinity : editor.size, inkOf(editor)),
  },
  fill: {
    showsInk: true,
    fromStart: true,
    draw: (editor, { start }) => floodFill(editor.picture, start, inkOf(editor)),
  },
  eyedropper: { picks: true, draw: () => {} },
  move: {
    fromStart: true,
    draw: (editor, { start }, point) => {
      const [dx, dy] = [Math.round(point[0] - start[0]), Math.round(point[1] - start[1])];
      editor.picture.pixels = moved(editor.picture, dx, dy);
    },
  },
};

/**
 * @param {Editor} editor
 * @param {Gesture} gesture
 * @param {Point} point
 */
function drawFreehand(editor, { last }, point) {
  drawSegment(editor.picture, last, point, editor.size, inkOf(editor));
}

/**
 * What the tool draws with.
 * @param {Editor} editor
 * @returns {Ink}
 */
export function inkOf({ tool, color, alpha }) {
  return tool === "eraser" ? TRANSPARENT : [...color, alpha];
}

/**
 * The ink at a point: what is drawn there, or else the sample's colour where the sample is seen.
 * @param {Editor} editor
 * @param {Point} point
 * @returns {Ink | null}
 */
export function inkAt({ picture, sample, sampleShown }, point) {
  const [x, y] = pixelUnder(point);
  if (!contains(picture, x, y)) return null;
  let [r, g, b, a] = pixelAt(picture, x, y);
  if (a === 0 && sample && sampleShown) [r, g, b, a] = sample.getImageData(x, y, 1, 1).data;
  return a > 0 ? [r, g, b, a] : null;
}
