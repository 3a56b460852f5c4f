// @ts-check
// The canvas: the map with all that is written on it, and the cursor and the selection above.

import { fromHex } from "../shared/colours.js";
import { clipped, paintAxes, strokeTwice } from "./axes.js";
import { paintPoints, paintRings } from "./labels.js";
import { shadeMap, tileOf } from "./raster.js";
import { paintNames } from "./regions.js";

/** @typedef {import("../shared/colours.js").Rgb} Rgb */
/** @typedef {import("./axes.js").Frame} Frame */
/** @typedef {import("./axes.js").Theme} Theme */
/** @typedef {import("./plane.js").Plane} Plane */
/** @typedef {import("./plane.js").Spot} Spot */
/** @typedef {import("./raster.js").Border} Border */

/**
 * @param {Element} element
 * @returns {Theme}
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  return {
    text: style.color,
    ground: style.getPropertyValue("--st-background-color").trim() || "#ffffff",
    font: style.fontFamily,
  };
}

/**
 * Paint all that stays while the cursor moves; returns whether the marks hide the rings.
 * @param {CanvasRenderingContext2D} context
 * @param {Plane} plane
 * @param {Frame} frame
 * @param {Theme} theme
 * @param {number} ratio device pixels a CSS pixel
 */
export function paintPlane(context, plane, frame, theme, ratio) {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  paintMap(context, plane, frame, theme, ratio);
  paintAxes(context, frame, theme, plane.slice.axisNames);
  const hidden = clipped(context, frame, () => paintRings(plane, context, frame));
  const taken = paintPoints(plane, context, frame, theme);
  paintNames(plane, context, frame, theme, taken);
  return hidden;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plane} plane
 * @param {Frame} frame
 * @param {Theme} theme
 * @param {number} ratio
 */
function paintMap(context, { slice, labels, layer }, frame, theme, ratio) {
  const tiles = slice.classes.map((_, label) => tileOf(slice.colours, label));
  const width = Math.round(frame.width * ratio);
  const height = Math.round(frame.height * ratio);
  /** @type {Border} */
  const border = layer
    ? { rgb: [255, 255, 255], width: 1.5 * ratio, rim: 1.25 * ratio } // shows on dark and on light colours
    : { rgb: asRgb(context, theme.ground), width: 1.25 * ratio };
  const pixels = shadeMap(labels, slice.resolution, width, height, tiles, border, layer);
  const map = new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
  context.putImageData(map, Math.round(frame.left * ratio), Math.round(frame.top * ratio));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} css
 * @returns {Rgb}
 */
function asRgb(context, css) {
  context.fillStyle = css;
  const hex = context.fillStyle;
  return hex.startsWith("#") ? fromHex(hex) : [255, 255, 255];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Spot} spot on the canvas
 */
export function drawSelected(context, { x, y }) {
  const ring = new Path2D();
  ring.arc(x, y, 11.5, 0, 2 * Math.PI);
  strokeTwice(context, ring, { colour: "#1a1a1a", width: 2.5, under: "#ffffff" });
  context.beginPath();
  context.arc(x, y, 2.5, 0, 2 * Math.PI);
  context.fillStyle = "#1a1a1a";
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Spot} spot on the canvas
 */
export function drawCursor(context, frame, { x, y }) {
  const hair = new Path2D();
  const gap = 7;
  for (const [x0, y0, x1, y1] of [
    [frame.left, y, x - gap, y],
    [x + gap, y, frame.left + frame.width, y],
    [x, frame.top, x, y - gap],
    [x, y + gap, x, frame.top + frame.height],
  ]) {
    hair.moveTo(x0, y0);
    hair.lineTo(x1, y1);
  }
  clipped(context, frame, () =>
    strokeTwice(context, hair, {
      colour: "rgba(20, 20, 20, 0.55)",
      width: 1,
      under: "rgba(255, 255, 255, 0.35)",
      rim: 1.5,
    }),
  );
  const eye = new Path2D();
  eye.arc(x, y, 5, 0, 2 * Math.PI);
  strokeTwice(context, eye, { colour: "#1a1a1a", width: 1.5 });
}
