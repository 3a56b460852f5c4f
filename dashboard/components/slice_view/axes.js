// @ts-check
// Where the plane lies on the screen, and its axes.

/** @typedef {import("./plane.js").Spot} Spot */
/** @typedef {import("./plane.js").Extent} Extent */
/** @typedef {{left: number, top: number, width: number, height: number, extent: Extent}} Frame in CSS pixels */
/** @typedef {{text: string, ground: string, font: string}} Theme colours and font as CSS has them */

const MARGIN = { left: 40, right: 12, top: 12, bottom: 40 };
const SMALLEST_MAP = 40;

/**
 * The frame of the map in a square canvas; null where it is too narrow for one.
 * @param {number} width of the canvas, in CSS pixels
 * @param {Extent} extent
 * @returns {Frame | null}
 */
export function frameIn(width, extent) {
  if (width < MARGIN.left + MARGIN.right + SMALLEST_MAP) return null;
  return {
    left: MARGIN.left,
    top: MARGIN.top,
    width: width - MARGIN.left - MARGIN.right,
    height: width - MARGIN.top - MARGIN.bottom,
    extent,
  };
}

/**
 * @param {Frame} frame
 * @param {Spot} spot on the plane
 * @returns {Spot}
 */
export function toScreen({ left, top, width, height, extent: [x0, x1, y0, y1] }, { x, y }) {
  return { x: left + ((x - x0) / (x1 - x0)) * width, y: top + ((y1 - y) / (y1 - y0)) * height };
}

/**
 * @param {Frame} frame
 * @param {Spot} spot on the canvas
 * @returns {Spot}
 */
export function fromScreen({ left, top, width, height, extent: [x0, x1, y0, y1] }, { x, y }) {
  return { x: x0 + ((x - left) / width) * (x1 - x0), y: y1 - ((y - top) / height) * (y1 - y0) };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Theme} theme
 * @param {[string, string]} names
 */
export function paintAxes(context, frame, theme, [xName, yName]) {
  const { left, top, width, height, extent } = frame;
  const bottom = top + height;
  context.fillStyle = theme.text;
  context.strokeStyle = theme.text;
  context.globalAlpha = 0.74;
  context.lineWidth = 1;
  context.font = `11px ${theme.font}`;
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const tick of ticksOf(extent[0], extent[1], width / 70)) {
    const { x } = toScreen(frame, { x: tick.value, y: 0 });
    line(context, x, bottom, x, bottom + 3);
    context.fillText(tick.text, x, bottom + 6);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of ticksOf(extent[2], extent[3], height / 70)) {
    const { y } = toScreen(frame, { x: 0, y: tick.value });
    line(context, left - 3, y, left, y);
    context.fillText(tick.text, left - 6, y);
  }
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.font = `12px ${theme.font}`;
  context.fillText(xName, left + width / 2, bottom + 34);
  context.translate(11, top + height / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(yName.replace("\u2191", "\u2192"), 0, 0); // turned with the text, this arrow points up
  context.rotate(Math.PI / 2);
  context.translate(-11, -(top + height / 2));
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/**
 * Round values between two others, about as many as wanted.
 * @param {number} first
 * @param {number} last
 * @param {number} wanted
 */
function ticksOf(first, last, wanted) {
  const rough = (last - first) / Math.max(2, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let i = Math.ceil(first / step - 1e-9); i * step <= last + 1e-9 * step; i++) {
    ticks.push({ value: i * step, text: (i * step).toFixed(digits).replace("-", "\u2212") });
  }
  return ticks;
}

/**
 * Draw only inside the map.
 * @template Result
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {() => Result} draw
 */
export function clipped(context, { left, top, width, height }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  const result = draw();
  context.restore();
  return result;
}

/**
 * How a line is drawn that shows on every ground: its own colour above a white one that is wider by `rim`.
 * @typedef {object} Stroke
 * @property {string} colour
 * @property {number} width
 * @property {number[]} [dash]
 * @property {string} [under]
 * @property {number} [rim]
 */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {Stroke} stroke
 */
export function strokeTwice(context, path, stroke) {
  const { colour, width, dash = [], under = "rgba(255, 255, 255, 0.9)", rim = 2.5 } = stroke;
  context.lineWidth = width + rim;
  context.strokeStyle = under;
  context.stroke(path);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.setLineDash(dash);
  context.stroke(path);
  context.setLineDash([]);
}
