// @ts-check
// The slice as a picture to keep: the map with all that is written on it, and what its colours mean below it.

import { contextOf } from "../shared/canvas.js";
import { frameIn } from "./axes.js";
import { paintPlane } from "./paint.js";

/** @typedef {import("./axes.js").Theme} Theme */
/** @typedef {import("./plane.js").Plane} Plane */

const SHARPNESS = 2;
const FOOT = 56;
const BAR = 10;

/**
 * @param {Plane} plane
 * @param {number} width of the map in CSS pixels
 * @param {Theme} theme
 * @param {{title: string, low: string, high: string}} scale what is written at the bar of a layer
 */
export function pictureOfSlice(plane, width, theme, scale) {
  const canvas = document.createElement("canvas");
  const context = contextOf(canvas);
  const frame = frameIn(width, plane.slice.extent);
  canvas.width = SHARPNESS * width;
  canvas.height = SHARPNESS * (width + (plane.layer ? FOOT : 0));
  context.fillStyle = theme.ground;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (!frame) return canvas;
  paintPlane(context, plane, frame, theme, SHARPNESS);
  if (!plane.layer) return canvas;
  const [left, right, top] = [frame.left, frame.left + frame.width, width + 22];
  const colours = context.createLinearGradient(left, 0, right, 0);
  plane.layer.scale.forEach((pixel, at, all) => {
    const colour = `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
    if (at % 15 === 0) colours.addColorStop(at / (all.length - 1), colour);
  });
  context.fillStyle = colours;
  context.fillRect(left, top, right - left, BAR);
  context.fillStyle = theme.text;
  context.textBaseline = "alphabetic";
  context.font = `600 13px ${theme.font}`;
  context.textAlign = "left";
  context.fillText(scale.title, left, top - 7);
  context.font = `12px ${theme.font}`;
  context.fillText(scale.low, left, top + BAR + 15);
  context.textAlign = "right";
  context.fillText(scale.high, right, top + BAR + 15);
  return canvas;
}

/**
 * Give the browser a canvas to keep as a PNG file.
 * @param {HTMLCanvasElement} canvas
 * @param {string} name
 */
export function keep(canvas, name) {
  const link = document.createElement("a");
  link.href = canvas.toDataURL("image/png");
  link.download = name;
  link.click();
}
