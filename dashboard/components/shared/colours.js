// @ts-check
// Colours as "#rrggbb" and as numbers from 0 to 255.

/** @typedef {[number, number, number]} Rgb */

/**
 * @param {string} hex "#rrggbb"
 * @returns {Rgb}
 */
export function fromHex(hex) {
  const [r, g, b] = [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  return [r, g, b];
}

/** @param {number[]} rgb */
export function toHex(rgb) {
  return `#${rgb.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
