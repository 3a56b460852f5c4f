// @ts-check
// The names of the regions, each written where its region has most room.

import { clamp } from "../shared/geometry.js";
import { toScreen } from "./axes.js";
import { placeOf } from "./plane.js";
import { fillOf, luminance, mix } from "./raster.js";

/** @typedef {import("../shared/colours.js").Rgb} Rgb */
/** @typedef {import("./axes.js").Frame} Frame */
/** @typedef {import("./axes.js").Theme} Theme */
/** @typedef {import("./labels.js").Box} Box */
/** @typedef {import("./plane.js").Plane} Plane */
/** @typedef {import("./plane.js").Spot} Spot */
/** @typedef {{lines: string[], size: number, font: string}} Setting */

/**
 * @typedef {object} Region
 * @property {number} clearance the largest distance of one of its grid points to its border
 * @property {number} size in grid points
 * @property {number} column of its centroid
 * @property {number} row of its centroid
 * @property {number} off how far its best grid point is from the centroid
 * @property {number} at its best grid point
 */

/** @typedef {{clearance: number, label: number, column: number, row: number}} Room for a name */

const MOST_NAMES = 24;

/**
 * @param {Plane} plane
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Theme} theme
 * @param {Box[]} taken where no name may stand
 */
export function paintNames({ slice, labels, layer }, context, frame, theme, taken) {
  const { resolution, classes, colours } = slice;
  const cell = { width: frame.width / (resolution - 1), height: frame.height / (resolution - 1) };
  const blocked = blockedCells(taken, frame, cell, resolution);
  for (const spot of roomiestSpots(labels, resolution, blocked)) {
    const room = spot.clearance * cell.width;
    const text = fitName(context, classes[spot.label], room, theme.font);
    if (!text) continue;
    const at = toScreen(frame, placeOf(slice, spot));
    paintName(context, text, at, layer ? [0, 0, 0] : fillOf(colours, spot.label).colour);
  }
}

/**
 * The grid points that lie under boxes, as ones.
 * @param {Box[]} boxes
 * @param {Frame} frame
 * @param {{width: number, height: number}} cell
 * @param {number} resolution
 */
function blockedCells(boxes, frame, cell, resolution) {
  const blocked = new Uint8Array(resolution * resolution);
  const bottom = frame.top + frame.height;
  /** @type {(index: number) => number} */
  const nearest = (index) => clamp(Math.round(index), 0, resolution - 1);
  for (const { x, y, width, height } of boxes) {
    const columns = [(x - frame.left) / cell.width, (x + width - frame.left) / cell.width].map(nearest);
    const rows = [(bottom - y - height) / cell.height, (bottom - y) / cell.height].map(nearest);
    for (let row = rows[0]; row <= rows[1]; row++) {
      blocked.fill(1, row * resolution + columns[0], row * resolution + columns[1] + 1);
    }
  }
  return blocked;
}

/**
 * For each connected region a spot to write its name: far from its border, and of those spots the most central one.
 * Roomiest first.
 * @param {Uint8Array} labels
 * @param {number} resolution
 * @param {Uint8Array} blocked
 * @returns {Room[]}
 */
export function roomiestSpots(labels, resolution, blocked) {
  const region = connectedRegions(labels, resolution);
  const clearance = clearances(region, resolution, blocked);
  const regions = measureRegions(region, resolution, clearance);
  for (let i = 0; i < labels.length; i++) {
    const known = /** @type {Region} */ (regions.get(region[i]));
    if (clearance[i] < 0.92 * known.clearance) continue;
    const off = Math.hypot((i % resolution) - known.column, Math.floor(i / resolution) - known.row);
    if (off < known.off) Object.assign(known, { off, at: i });
  }
  return [...regions.values()]
    .sort((a, b) => b.clearance - a.clearance)
    .slice(0, MOST_NAMES)
    .map(({ at }) => ({
      clearance: clearance[at],
      label: labels[at],
      column: at % resolution,
      row: Math.floor(at / resolution),
    }));
}

/**
 * The largest clearance and the centroid of each region.
 * @param {Int32Array} region
 * @param {number} resolution
 * @param {Float32Array} clearance
 */
function measureRegions(region, resolution, clearance) {
  /** @type {Map<number, Region>} */
  const regions = new Map();
  for (let i = 0; i < region.length; i++) {
    let known = regions.get(region[i]);
    if (!known) regions.set(region[i], (known = { clearance: 0, size: 0, column: 0, row: 0, off: Infinity, at: i }));
    known.clearance = Math.max(known.clearance, clearance[i]);
    known.size += 1;
    known.column += ((i % resolution) - known.column) / known.size;
    known.row += (Math.floor(i / resolution) - known.row) / known.size;
  }
  return regions;
}

/**
 * A number per grid point, shared by those that are connected through neighbours of the same label.
 * @param {Uint8Array} labels
 * @param {number} resolution
 */
function connectedRegions(labels, resolution) {
  const region = new Int32Array(labels.length).fill(-1);
  const open = [];
  for (let seed = 0; seed < labels.length; seed++) {
    if (region[seed] >= 0) continue;
    region[seed] = seed;
    open.push(seed);
    while (open.length) {
      const i = /** @type {number} */ (open.pop());
      const column = i % resolution;
      const near = [column > 0 ? i - 1 : -1, column < resolution - 1 ? i + 1 : -1, i - resolution, i + resolution];
      for (const j of near) {
        if (j < 0 || j >= labels.length || region[j] >= 0 || labels[j] !== labels[i]) continue;
        region[j] = seed;
        open.push(j);
      }
    }
  }
  return region;
}

/**
 * Distance of each grid point to its region's border, in cells, by a two-pass distance transform. A step up or down
 * counts twice: names are wider than high.
 * @param {Int32Array} region
 * @param {number} resolution
 * @param {Uint8Array} blocked
 */
function clearances(region, resolution, blocked) {
  const far = new Float32Array(region.length).fill(Infinity);
  const across = [-1, 0, -1, 1];
  const down = [0, -1, -1, -1];
  const costs = [1, 2, Math.sqrt(5), Math.sqrt(5)];
  for (let i = 0; i < far.length; i++) far[i] = nearestBorder(i, 1);
  for (let i = far.length - 1; i >= 0; i--) far[i] = nearestBorder(i, -1);
  return far;

  /** @type {(i: number, way: 1 | -1) => number} */
  function nearestBorder(i, way) {
    if (blocked[i]) return 0;
    const column = i % resolution;
    let least = far[i];
    for (let k = 0; k < 4; k++) {
      const beside = column + way * across[k];
      const j = i + way * (down[k] * resolution + across[k]);
      let there = -costs[k]; // the map ends at its outermost grid points
      if (beside >= 0 && beside < resolution && j >= 0 && j < far.length) {
        there = region[j] === region[i] ? far[j] : -0.5 * costs[k];
      }
      if (there + costs[k] < least) least = there + costs[k];
    }
    return least;
  }
}

/**
 * The largest setting of a name that fits into `room` pixels on either side; null if none does.
 * @param {CanvasRenderingContext2D} context
 * @param {string} name
 * @param {number} room
 * @param {string} font
 * @returns {Setting | null}
 */
function fitName(context, name, room, font) {
  for (const size of [15, 13, 11]) {
    for (const lines of [[name], inTwoLines(name)]) {
      context.font = `600 ${size}px ${font}`;
      const width = Math.max(...lines.map((text) => context.measureText(text).width));
      const height = lines.length * size * 1.15;
      if (room >= Math.max(width / 2, height) + 2) return { lines, size, font: context.font };
    }
  }
  return null;
}

/**
 * A name broken at the space nearest to its middle, if it has one.
 * @param {string} name
 */
function inTwoLines(name) {
  /** @type {(index: number) => number} */
  const fromMiddle = (index) => Math.abs(index - name.length / 2);
  const spaces = [...name.matchAll(/ /g)].map(({ index }) => index).sort((a, b) => fromMiddle(a) - fromMiddle(b));
  return spaces.length ? [name.slice(0, spaces[0]), name.slice(spaces[0] + 1)] : [name];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Setting} setting
 * @param {Spot} spot on the canvas
 * @param {Rgb} ground
 */
function paintName(context, { lines, size, font }, { x, y }, ground) {
  const dark = luminance(ground) > 0.22;
  context.font = font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = `rgba(${mix(ground, dark ? [255, 255, 255] : [0, 0, 0], 0.45)}, 0.75)`;
  context.fillStyle = dark ? "#141414" : "#ffffff";
  lines.forEach((text, i) => {
    const at = y + (i - (lines.length - 1) / 2) * size * 1.15;
    context.strokeText(text, x, at);
    context.fillText(text, x, at);
  });
}
