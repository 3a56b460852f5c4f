// @ts-check
// The canvas: the drawing, the sample underneath, the grid, and where the brush would fall. The checkerboard is the
// canvas's own CSS background, so it follows the theme without a line here.

import { canvasOf } from "../shared/canvas.js";
import { brushCorner } from "./raster.js";
import { TOOLS, inkOf } from "./tools.js";

/** @typedef {import("./editor.js").Editor} Editor */

const SMALLEST_CELL_WITH_GRID = 6; // device pixels
const SMALLEST_CELL_WITH_CHECKS = 12; // CSS pixels; in smaller ones each cell is one check
const LARGEST_SIDE = 416; // CSS pixels
const LARGEST_SIDE_OF_FEW = 300; // for pictures of few pixels, which are seen well in less room
const FEW = 16;
const OUTLINE = "#e69f00"; // no class's colour, and none of the greys

/**
 * Give the canvas its size. Cells are a whole number of device pixels, so that each is as sharp and as large as its
 * neighbours.
 * @param {Editor} editor
 */
export function fitCanvas(editor) {
  const { canvas, stage, picture } = editor;
  if (picture.width === 0 || stage.clientWidth === 0) return;
  const ratio = window.devicePixelRatio || 1;
  const longest = Math.max(picture.width, picture.height);
  const side = longest <= FEW ? LARGEST_SIDE_OF_FEW : LARGEST_SIDE;
  const room = Math.min(stage.clientWidth / picture.width, side / longest);
  editor.cell = Math.max(1, Math.floor(room * ratio));
  canvas.width = editor.cell * picture.width;
  canvas.height = editor.cell * picture.height;
  canvas.style.width = `${canvas.width / ratio}px`;
  stage.style.setProperty("--picture-width", canvas.style.width);
  canvas.style.height = `${canvas.height / ratio}px`;
  const cell = editor.cell / ratio;
  canvas.style.setProperty("--check", `${cell < SMALLEST_CELL_WITH_CHECKS ? 2 * cell : cell}px`);
  render(editor);
}

/**
 * Paint soon: at most once a frame, however many events arrive.
 * @param {Editor} editor
 */
export function render(editor) {
  if (editor.frame) return;
  editor.frame = requestAnimationFrame(() => {
    editor.frame = 0;
    if (editor.picture.width > 0) paint(editor);
  });
}

/** @param {Editor} editor */
function paint(editor) {
  const { canvas, context, picture } = editor;
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (editor.sampleShown && editor.sample) context.drawImage(editor.sample.canvas, 0, 0, canvas.width, canvas.height);
  const drawing = canvasOf(new ImageData(picture.pixels, picture.width, picture.height));
  context.drawImage(drawing, 0, 0, canvas.width, canvas.height);
  if (editor.cell >= SMALLEST_CELL_WITH_GRID) {
    paintGrid(editor);
    paintOutline(editor);
  }
  paintCursor(editor);
}

/**
 * Go around what is drawn, so that one's own white pixels are told from the sample's. Only on the screen: the line lies
 * on the edges between drawn pixels and others, half of it on either side.
 * @param {Editor} editor
 */
function paintOutline({ context, picture, cell, sampleShown, sample }) {
  if (!sampleShown || !sample) return;
  const { width, height, pixels } = picture;
  /** @type {(x: number, y: number) => boolean} */
  const drawn = (x, y) => x >= 0 && y >= 0 && x < width && y < height && pixels[4 * (y * width + x) + 3] > 0;
  context.beginPath();
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      if (drawn(x, y) !== drawn(x - 1, y)) edge(context, x * cell, y * cell, x * cell, (y + 1) * cell);
      if (drawn(x, y) !== drawn(x, y - 1)) edge(context, x * cell, y * cell, (x + 1) * cell, y * cell);
    }
  }
  // Dark under light, as the cursor: seen on every colour.
  context.lineCap = "square";
  const ratio = window.devicePixelRatio || 1;
  for (const [width, style] of /** @type {const} */ ([[4, "rgba(0, 0, 0, 0.75)"], [2, OUTLINE]])) {
    context.lineWidth = width * ratio;
    context.strokeStyle = style;
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function edge(context, x0, y0, x1, y1) {
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
}

/** @param {Editor} editor */
function paintGrid({ context, canvas, cell }) {
  context.fillStyle = "rgba(128, 128, 128, 0.28)";
  for (let x = cell; x < canvas.width; x += cell) context.fillRect(x, 0, 1, canvas.height);
  for (let y = cell; y < canvas.height; y += cell) context.fillRect(0, y, canvas.width, 1);
}

/** @param {Editor} editor */
function paintCursor(editor) {
  const { context, cell, cursor } = editor;
  if (!cursor) return;
  const size = TOOLS[editor.tool].brush ? editor.size : 1;
  const [x, y] = brushCorner(cursor, size).map((coordinate) => coordinate * cell);
  const side = size * cell + 1;
  if (TOOLS[editor.tool].showsInk && !editor.gesture) {
    const [r, g, b, a] = inkOf(editor);
    context.fillStyle = `rgba(${r}, ${g}, ${b}, ${a / 255})`;
    context.fillRect(x, y, side, side);
  }
  // Dark around light is seen on every colour.
  context.lineWidth = 1;
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  context.strokeStyle = "rgba(255, 255, 255, 0.95)";
  context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
}
