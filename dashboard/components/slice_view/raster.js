// @ts-check
// The pixels of the map: each label's colour or pattern, or a layer's colours, with smooth borders between the labels.

import { fromHex } from "../shared/colours.js";
import { asPixel } from "./plane.js";

/** @typedef {import("../shared/colours.js").Rgb} Rgb */
/** @typedef {import("./plane.js").Layer} Layer */
/** @typedef {{colour: Rgb, stroke: Rgb, inStroke: (x: number, y: number) => boolean}} Fill */
/** @typedef {{rgb: Rgb, width: number, rim?: number}} Border its width and its rim's in pixels of the picture */
/** @typedef {{cells: number[], weights: number[]}} Spline */

const TILE = 16; // edge of the repeated pattern that fills a region, in device pixels

/** @param {Rgb} rgb */
export function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/**
 * @param {Rgb} a
 * @param {Rgb} b
 * @param {number} share of b
 * @returns {Rgb}
 */
export function mix(a, b, share) {
  const [red, green, blue] = a.map((value, i) => Math.round(value + (b[i] - value) * share));
  return [red, green, blue];
}

/**
 * The fill of a label: a palette colour; labels beyond the palette get it lighter or darker under a pattern.
 * @param {string[]} colours
 * @param {number} label
 * @returns {Fill}
 */
export function fillOf(colours, label) {
  const colour = fromHex(colours[label % colours.length]);
  const lap = Math.floor(label / colours.length);
  if (lap === 0) return { colour, stroke: colour, inStroke: () => false };
  const light = luminance(colour) > 0.3;
  const stroke = mix(colour, light ? [0, 0, 0] : [255, 255, 255], 0.45);
  const half = TILE / 2;
  /** @type {Fill["inStroke"][]} */
  const patterns = [
    (x, y) => (x + y) % half < 2,
    (x, y) => (x - y + TILE) % half < 2,
    (x, y) => x % half < 3 && y % half < 3,
    (_, y) => y % half < 2,
    (x, y) => (x + y) % half < 2 || (x - y + TILE) % half < 2,
  ];
  return { colour, stroke, inStroke: patterns[(lap - 1) % patterns.length] };
}

/**
 * A TILE x TILE square of ready pixels that repeats over a label's region.
 * @param {string[]} colours
 * @param {number} label
 */
export function tileOf(colours, label) {
  const { colour, stroke, inStroke } = fillOf(colours, label);
  return Uint32Array.from({ length: TILE * TILE }, (_, i) =>
    asPixel(...(inStroke(i % TILE, Math.floor(i / TILE)) ? stroke : colour)),
  );
}

/**
 * Pixels of the label map. A pixel takes the label with the largest share among the nine grid points around it,
 * weighted by a quadratic B-spline: borders run smoothly between the grid points, and since a grid point weighs 9/16
 * at its own place, each one keeps its own label. A layer gives the colours in place of the labels' tiles.
 * @param {Uint8Array} labels
 * @param {number} resolution
 * @param {number} width
 * @param {number} height
 * @param {Uint32Array[]} tiles
 * @param {Border} border
 * @param {Layer | null} [layer]
 */
export function shadeMap(labels, resolution, width, height, tiles, border, layer = null) {
  const out = new Uint32Array(width * height);
  const mixed = mixedCells(labels, resolution);
  const columns = splines(width, resolution);
  const rows = splines(height, resolution).reverse();
  const cell = width / (resolution - 1);
  const shares = new Float32Array(256);
  const shade = layer && layerShades(layer, width, height);
  for (let py = 0; py < height; py++) {
    const tileRow = (py % TILE) * TILE;
    for (let px = 0; px < width; px++) {
      const centre = rows[py].cells[1] * resolution + columns[px].cells[1];
      const inTile = tileRow + (px % TILE);
      const at = py * width + px;
      if (mixed[centre]) {
        const [winner, lead] = contest(labels, resolution, columns[px], rows[py], shares);
        // Shares change by two per cell straight across a border, so the lead tells the distance to it.
        out[at] = bordered(shade ? shade[at] : tiles[winner][inTile], (lead * cell) / 2, border);
      } else {
        out[at] = shade ? shade[at] : tiles[labels[centre]][inTile];
      }
    }
  }
  return out;
}

/**
 * Pixels of a layer's colours: its shares of the colour scale, mixed between the four grid points around a pixel.
 * @param {Layer} layer
 * @param {number} width
 * @param {number} height
 */
function layerShades({ shares, resolution, scale }, width, height) {
  const out = new Uint32Array(width * height);
  const [columns, rows] = [width, height].map((pixels) =>
    Array.from({ length: pixels }, (_, pixel) => {
      const place = ((pixel + 0.5) / pixels) * (resolution - 1);
      const first = Math.min(resolution - 2, Math.floor(place));
      return { first, part: place - first };
    }),
  );
  rows.reverse();
  for (let py = 0; py < height; py++) {
    const { first: row, part: up } = rows[py];
    for (let px = 0; px < width; px++) {
      const { first: column, part: right } = columns[px];
      const i = row * resolution + column;
      const low = shares[i] + right * (shares[i + 1] - shares[i]);
      const high = shares[i + resolution] + right * (shares[i + resolution + 1] - shares[i + resolution]);
      out[py * width + px] = scale[Math.round(low + up * (high - low))];
    }
  }
  return out;
}

/**
 * 1 for grid points with another label among their eight neighbours.
 * @param {Uint8Array} labels
 * @param {number} resolution
 */
function mixedCells(labels, resolution) {
  const mixed = new Uint8Array(labels.length);
  const last = resolution - 1;
  for (let i = 0; i < labels.length; i++) {
    const column = i % resolution;
    const right = column < last ? 1 : 0;
    const left = column > 0 ? 1 : 0;
    for (const j of [i + right, i + resolution, i + resolution + right, i + resolution - left]) {
      if (j < labels.length && labels[j] !== labels[i]) mixed[i] = mixed[j] = 1;
    }
  }
  return mixed;
}

/**
 * For each pixel of a row: the three grid points around it and their weights.
 * @param {number} pixels
 * @param {number} resolution
 * @returns {Spline[]}
 */
function splines(pixels, resolution) {
  const last = resolution - 1;
  return Array.from({ length: pixels }, (_, pixel) => {
    const place = ((pixel + 0.5) / pixels) * last;
    const middle = Math.round(place);
    const t = place - middle;
    return {
      cells: [Math.max(0, middle - 1), middle, Math.min(last, middle + 1)],
      weights: [0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2],
    };
  });
}

/**
 * The label with the largest share at a pixel, and its lead over the next one.
 * @param {Uint8Array} labels
 * @param {number} resolution
 * @param {Spline} column
 * @param {Spline} row
 * @param {Float32Array} shares all zeros, before and after
 * @returns {[winner: number, lead: number]}
 */
function contest(labels, resolution, column, row, shares) {
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      shares[labels[row.cells[r] * resolution + column.cells[c]]] += row.weights[r] * column.weights[c];
    }
  }
  let winner = 0;
  let most = 0;
  let second = 0;
  for (let i = 0; i < 9; i++) {
    const label = labels[row.cells[Math.floor(i / 3)] * resolution + column.cells[i % 3]];
    const share = shares[label];
    shares[label] = 0;
    if (share > most) {
      second = most;
      most = share;
      winner = label;
    } else if (share > second) second = share;
  }
  return [winner, most - second];
}

/**
 * A pixel blended into the border's colour as far as the border covers it, and into black as far as its rim does, if
 * it has one.
 * @param {number} pixel
 * @param {number} toBorder
 * @param {Border} border
 */
function bordered(pixel, toBorder, border) {
  const rimmed = border.rim
    ? covered(pixel, toBorder, { rgb: [0, 0, 0], width: border.width + 2 * border.rim }, 0.55)
    : pixel;
  return covered(rimmed, toBorder, border, 1);
}

/**
 * @param {number} pixel
 * @param {number} toBorder
 * @param {Border} border
 * @param {number} opacity
 */
function covered(pixel, toBorder, border, opacity) {
  const cover = opacity * Math.min(1, Math.max(0, border.width / 2 + 0.5 - toBorder));
  if (cover === 0) return pixel;
  /** @type {(shift: number, towards: number) => number} */
  const blend = (shift, towards) => {
    const from = (pixel >> shift) & 255;
    return Math.round(from + (towards - from) * cover) << shift;
  };
  return ((255 << 24) | blend(16, border.rgb[2]) | blend(8, border.rgb[1]) | blend(0, border.rgb[0])) >>> 0;
}
