// @ts-check
// Pixels and nothing else. A point is [x, y] in pixels as floats: [0.5, 0.5] is the middle of the first pixel. An ink
// replaces what was there, alpha included: a pixel is what was last drawn on it, never a mixture.

/** @typedef {Uint8ClampedArray<ArrayBuffer>} Pixels straight RGBA, row by row */
/** @typedef {{width: number, height: number, pixels: Pixels}} Picture */
/** @typedef {[x: number, y: number]} Point */
/** @typedef {[r: number, g: number, b: number, a: number]} Ink */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Box the outermost pixels inside */

/** @type {Ink} */
export const TRANSPARENT = [0, 0, 0, 0];

/**
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y
 */
export function contains({ width, height }, x, y) {
  return x >= 0 && y >= 0 && x < width && y < height;
}

/**
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y
 * @returns {Ink}
 */
export function pixelAt(picture, x, y) {
  const start = 4 * (y * picture.width + x);
  const [r, g, b, a] = picture.pixels.subarray(start, start + 4);
  return [r, g, b, a];
}

/**
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y
 * @param {Ink} ink
 */
function setPixel(picture, x, y, ink) {
  if (contains(picture, x, y)) picture.pixels.set(ink, 4 * (y * picture.width + x));
}

/**
 * @param {Pixels | Ink} a
 * @param {Pixels | Ink} b
 */
export function samePixels(a, b) {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/**
 * The upper left pixel of a square brush whose middle is nearest to a point.
 * @param {Point} point
 * @param {number} size
 * @returns {Point}
 */
export function brushCorner([x, y], size) {
  return [Math.round(x - size / 2), Math.round(y - size / 2)];
}

/**
 * The pixel that a point lies in.
 * @param {Point} point
 * @returns {Point}
 */
export function pixelUnder([x, y]) {
  return [Math.floor(x), Math.floor(y)];
}

/**
 * @param {Picture} picture
 * @param {Point} corner
 * @param {number} size
 * @param {Ink} ink
 */
function stamp(picture, [left, top], size, ink) {
  for (let y = top; y < top + size; y++) {
    for (let x = left; x < left + size; x++) setPixel(picture, x, y, ink);
  }
}

/**
 * Every step of the brush from one point to another, both included, so that a fast stroke has no holes.
 * @param {Picture} picture
 * @param {Point} from
 * @param {Point} to
 * @param {number} size
 * @param {Ink} ink
 */
export function drawSegment(picture, from, to, size, ink) {
  const [x0, y0] = brushCorner(from, size);
  const [x1, y1] = brushCorner(to, size);
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  for (let step = 0; step <= steps; step++) {
    const share = step / steps;
    stamp(picture, [Math.round(x0 + (x1 - x0) * share), Math.round(y0 + (y1 - y0) * share)], size, ink);
  }
}

/**
 * The rectangle with these two corner pixels; a border of Infinity fills it.
 * @param {Picture} picture
 * @param {Point} from
 * @param {Point} to
 * @param {number} border
 * @param {Ink} ink
 */
export function drawRectangle(picture, from, to, border, ink) {
  const [left, right] = [from[0], to[0]].map(Math.floor).sort((a, b) => a - b);
  const [top, bottom] = [from[1], to[1]].map(Math.floor).sort((a, b) => a - b);
  for (let y = Math.max(top, 0); y <= Math.min(bottom, picture.height - 1); y++) {
    for (let x = Math.max(left, 0); x <= Math.min(right, picture.width - 1); x++) {
      if (Math.min(x - left, right - x, y - top, bottom - y) < border) setPixel(picture, x, y, ink);
    }
  }
}

/**
 * Fill the four-connected area of one colour around a point.
 * @param {Picture} picture
 * @param {Point} point
 * @param {Ink} ink
 */
export function floodFill(picture, point, ink) {
  const [startX, startY] = pixelUnder(point);
  if (!contains(picture, startX, startY)) return;
  const old = pixelAt(picture, startX, startY);
  if (samePixels(old, ink)) return;
  /** @type {Point[]} */
  const open = [[startX, startY]];
  while (open.length) {
    const [x, y] = /** @type {Point} */ (open.pop());
    if (!contains(picture, x, y) || !samePixels(pixelAt(picture, x, y), old)) continue;
    setPixel(picture, x, y, ink);
    open.push([x + 1, y], [x - 1, y], [x, y + 1], [x, y - 1]);
  }
}

/** @param {Picture} picture */
export function mirrored({ width, height, pixels }) {
  const flipped = new Uint8ClampedArray(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (y * width + x);
      flipped.set(pixels.subarray(from, from + 4), 4 * (y * width + width - 1 - x));
    }
  }
  return flipped;
}

/**
 * The smallest box around all that is drawn, or null where nothing is.
 * @param {Picture} picture
 * @returns {Box | null}
 */
export function drawnBox({ width, height, pixels }) {
  const box = { left: width, top: height, right: -1, bottom: -1 };
  for (let index = 0; index < width * height; index++) {
    if (pixels[4 * index + 3] === 0) continue;
    const [x, y] = [index % width, Math.floor(index / width)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box.right < 0 ? null : box;
}

/**
 * The picture's pixels moved by whole pixels, no further than the edge: nothing drawn is ever pushed out.
 * @param {Picture} picture
 * @param {number} dx
 * @param {number} dy
 */
export function moved(picture, dx, dy) {
  const { width, height, pixels } = picture;
  const box = drawnBox(picture);
  const shifted = new Uint8ClampedArray(pixels.length);
  if (!box) return shifted;
  const right = Math.min(Math.max(dx, -box.left), width - 1 - box.right);
  const down = Math.min(Math.max(dy, -box.top), height - 1 - box.bottom);
  const bytes = 4 * (box.right - box.left + 1);
  for (let y = box.top; y <= box.bottom; y++) {
    const from = 4 * (y * width + box.left);
    shifted.set(pixels.subarray(from, from + bytes), from + 4 * (down * width + right));
  }
  return shifted;
}
