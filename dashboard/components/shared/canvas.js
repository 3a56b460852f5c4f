// @ts-check
import { fromBase64 } from "./bytes.js";

/** @typedef {import("./geometry.js").Spot} Spot */

/** @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * The image that Python sent as base64, three or four bytes a pixel.
 * @param {string} text
 * @param {number} width
 * @param {number} height
 * @param {3 | 4} channels
 */
export function imageOf(text, width, height, channels) {
  const bytes = fromBase64(text);
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 4; c++) image.data[4 * i + c] = c < channels ? bytes[channels * i + c] : 255;
  }
  return image;
}

/**
 * A canvas of an image's size that shows it.
 * @param {ImageData} image
 */
export function canvasOf(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/**
 * Where a pointer is on a canvas that shows a picture of this size, in the picture's pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {{clientX: number, clientY: number}} pointer
 * @param {{width: number, height: number}} picture
 * @returns {Spot}
 */
export function pointerOn(canvas, { clientX, clientY }, { width, height }) {
  const box = canvas.getBoundingClientRect();
  return { x: ((clientX - box.left) / box.width) * width, y: ((clientY - box.top) / box.height) * height };
}
