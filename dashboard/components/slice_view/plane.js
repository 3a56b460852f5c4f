// @ts-check
// A plane through image space, as Python sends it: a predicted label for each point of a grid and the three images that
// span it. The image at (x, y) is origin + x * xAxis + y * yAxis, so the browser draws it without asking the server.

import { fromBase64 } from "../shared/bytes.js";
import { clamp } from "../shared/geometry.js";

/** @typedef {import("../shared/geometry.js").Spot} Spot on the plane, in L2 distances */
/** @typedef {[left: number, right: number, bottom: number, top: number]} Extent */
/** @typedef {{column: number, row: number}} Cell of the grid; row 0 is the lowest */
/** @typedef {{extent: Extent, resolution: number}} Grid */
/** @typedef {"clean" | "triggered" | "other"} Mark */
/** @typedef {{mark: Mark, name: string, x: number, y: number}} Point of interest */
/** @typedef {{offset: number, scale: number, steps: string}} PackedImage 16 bits a value */

/**
 * @typedef {object} PackedLayer
 * @property {string} name
 * @property {string} title
 * @property {string} note
 * @property {number} low the value at the start of the colour scale
 * @property {number} high the value at its end
 * @property {number} resolution
 * @property {string} shares a byte a point, from low to high
 * @property {string} values float32 a point
 * @property {string} colours 256 times red, green, blue
 * @property {[lowest: string, highest: string]} ends what the colours at the ends mean
 */

/**
 * @typedef {object} PackedSlice
 * @property {number} resolution
 * @property {Extent} extent
 * @property {string} labels a byte a point
 * @property {string[]} classes
 * @property {string[]} colours
 * @property {[label: number, share: number][]} shares
 * @property {Point[]} points
 * @property {[channels: number, height: number, width: number]} shape
 * @property {Record<"origin" | "xAxis" | "yAxis", PackedImage>} images
 * @property {number | null} sigma
 * @property {[string, string]} axisNames
 * @property {string} ringCaption
 * @property {string} description
 * @property {PackedLayer | null} layer
 */

/**
 * Numbers shown in place of the labels' colours: their values, their shares of the colour scale from 0 to 255, and the
 * scale as ready pixels (little-endian RGBA).
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} title
 * @property {string} note
 * @property {number} low
 * @property {number} high
 * @property {number} resolution
 * @property {Float32Array} values
 * @property {Uint8Array} shares
 * @property {Uint32Array} scale
 * @property {[lowest: string, highest: string]} ends
 */

/**
 * @typedef {object} Plane
 * @property {PackedSlice} slice
 * @property {Uint8Array} labels
 * @property {Float32Array} origin
 * @property {Float32Array} xAxis
 * @property {Float32Array} yAxis
 * @property {Layer | null} layer
 * @property {Point[]} points those that lie on the map
 */

/**
 * @param {PackedSlice} slice
 * @returns {Plane}
 */
export function unpackPlane(slice) {
  return {
    slice,
    labels: fromBase64(slice.labels),
    origin: unpackImage(slice.images.origin),
    xAxis: unpackImage(slice.images.xAxis),
    yAxis: unpackImage(slice.images.yAxis),
    layer: slice.layer && unpackLayer(slice.layer),
    points: slice.points.filter((point) => onMap(slice.extent, point)),
  };
}

/** @param {PackedImage} image */
function unpackImage({ offset, scale, steps }) {
  const bytes = new DataView(fromBase64(steps).buffer);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) => offset + scale * bytes.getUint16(2 * i, true));
}

/**
 * @param {PackedLayer} layer
 * @returns {Layer}
 */
function unpackLayer({ name, title, note, low, high, resolution, shares, values, colours, ends }) {
  const bytes = new DataView(fromBase64(values).buffer);
  const rgb = fromBase64(colours);
  return {
    name,
    title,
    note,
    low,
    high,
    resolution,
    values: Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) => bytes.getFloat32(4 * i, true)),
    shares: fromBase64(shares),
    scale: Uint32Array.from({ length: 256 }, (_, i) => asPixel(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2])),
    ends,
  };
}

/**
 * An opaque pixel as a number whose bytes, little-endian, are RGBA.
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
export function asPixel(r, g, b) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/**
 * Column and row of the grid point nearest to (x, y).
 * @param {Grid} grid
 * @param {Spot} spot
 * @returns {Cell}
 */
export function cellOf({ extent, resolution }, { x, y }) {
  /** @type {(value: number, first: number, last: number) => number} */
  const nearest = (value, first, last) =>
    clamp(Math.round(((value - first) / (last - first)) * (resolution - 1)), 0, resolution - 1);
  return { column: nearest(x, extent[0], extent[1]), row: nearest(y, extent[2], extent[3]) };
}

/**
 * @param {Grid} grid
 * @param {Cell} cell
 * @returns {Spot}
 */
export function placeOf({ extent, resolution }, { column, row }) {
  const [x0, x1, y0, y1] = extent;
  return { x: x0 + ((x1 - x0) * column) / (resolution - 1), y: y0 + ((y1 - y0) * row) / (resolution - 1) };
}

/**
 * @param {Extent} extent
 * @param {Spot} spot
 */
export function onMap([x0, x1, y0, y1], { x, y }) {
  return x >= x0 && x <= x1 && y >= y0 && y <= y1;
}

/**
 * The label at the nearest grid point.
 * @param {Plane} plane
 * @param {Spot} spot
 */
export function labelAt({ slice, labels }, spot) {
  const { column, row } = cellOf(slice, spot);
  return labels[row * slice.resolution + column];
}

/**
 * The layer's number at the nearest point of its own grid.
 * @param {Layer} layer
 * @param {Extent} extent
 * @param {Spot} spot
 */
export function layerValueAt(layer, extent, spot) {
  const { column, row } = cellOf({ extent, resolution: layer.resolution }, spot);
  return layer.values[row * layer.resolution + column];
}

/**
 * @param {Plane} plane
 * @param {Spot} spot
 */
export function pointAt({ points }, spot) {
  return points.find((point) => point.x === spot.x && point.y === spot.y);
}

/**
 * A grid point, or the point of interest that lies in its cell: people mean that very image.
 * @param {Plane} plane
 * @param {Cell} cell
 * @returns {Spot}
 */
export function placeOfCell({ slice, points }, cell) {
  const owner = points.find((point) => {
    const own = cellOf(slice, point);
    return own.column === cell.column && own.row === cell.row;
  });
  return owner ? { x: owner.x, y: owner.y } : placeOf(slice, cell);
}
