// @ts-check
// The card next to the map: the image at a place, its predicted class, what the colours mean.

import { contextOf } from "../shared/canvas.js";
import { find, write } from "../shared/life.js";
import { labelAt, layerValueAt, pointAt } from "./plane.js";
import { fillOf } from "./raster.js";

/** @typedef {import("./plane.js").Layer} Layer */
/** @typedef {import("./plane.js").PackedSlice} PackedSlice */
/** @typedef {import("./plane.js").Plane} Plane */
/** @typedef {import("./plane.js").Spot} Spot */

const LONGEST_LEGEND = 6;

/**
 * What does not change with the place: axis names, legend and colour scale.
 * @param {HTMLElement} root
 * @param {Plane} plane
 */
export function labelCard(root, { slice, layer }) {
  write(root, ".x-name", slice.axisNames[0]);
  write(root, ".y-name", slice.axisNames[1]);
  showLegend(root, slice);
  showScale(root, layer);
}

/**
 * @param {HTMLElement} root
 * @param {Plane} plane
 * @param {Spot} spot
 * @param {string} title
 */
export function showCard(root, plane, spot, title) {
  const { slice, layer } = plane;
  const label = labelAt(plane, spot);
  write(root, ".card .title", title);
  write(root, ".facts .name", slice.classes[label]);
  find(root, ".facts .name", HTMLElement).title = slice.classes[label];
  colourChip(find(root, ".facts .chip", HTMLElement), slice.colours, label);
  write(root, ".x", decimal(spot.x));
  write(root, ".y", decimal(spot.y));
  if (layer) write(root, ".value", decimal(layerValueAt(layer, slice.extent, spot)));
  const picture = find(root, ".picture", HTMLCanvasElement);
  const { low, high } = drawImage(picture, plane, spot);
  const outside = low < -0.005 || high > 1.005;
  write(root, ".clipped", outside ? `values ${decimal(low)} to ${decimal(high)}, clipped` : "");
  picture.setAttribute("aria-label", `Image at ${inWords(plane, spot)}`);
}

/**
 * Name, predicted class and coordinates of a place.
 * @param {Plane} plane
 * @param {Spot} spot
 */
export function inWords(plane, spot) {
  const { slice, layer } = plane;
  const [xName, yName] = slice.axisNames;
  const point = pointAt(plane, spot);
  const value = layer ? `${layer.name} ${decimal(layerValueAt(layer, slice.extent, spot))}, ` : "";
  const where = `${value}${xName} ${decimal(spot.x)}, ${yName} ${decimal(spot.y)}`;
  return `${point ? `${point.name}: ` : ""}${slice.classes[labelAt(plane, spot)]}. ${where}.`;
}

/** @param {number} value */
function decimal(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) !== 0 ? `\u2212${text}` : text;
}

/**
 * Draw origin + x * xAxis + y * yAxis, clamped to [0, 1]; return the extremes before the clamp.
 * @param {HTMLCanvasElement} picture
 * @param {Plane} plane
 * @param {Spot} spot
 */
function drawImage(picture, { slice, origin, xAxis, yAxis }, { x, y }) {
  const [channels, height, width] = slice.shape;
  const pixels = height * width;
  const image = new ImageData(width, height);
  let low = Infinity;
  let high = -Infinity;
  for (let channel = 0; channel < 3; channel++) {
    const from = channels === 1 ? 0 : channel * pixels;
    for (let i = 0; i < pixels; i++) {
      const value = origin[from + i] + x * xAxis[from + i] + y * yAxis[from + i];
      if (value < low) low = value;
      if (value > high) high = value;
      image.data[4 * i + channel] = 255 * value; // Uint8ClampedArray rounds and clamps
    }
  }
  for (let i = 0; i < pixels; i++) image.data[4 * i + 3] = 255;
  if (picture.width !== width || picture.height !== height) {
    picture.width = width;
    picture.height = height;
  }
  contextOf(picture).putImageData(image, 0, 0);
  return { low, high };
}

/**
 * @param {HTMLElement} root
 * @param {PackedSlice} slice
 */
function showLegend(root, { shares, classes, colours }) {
  const rows = shares
    .slice(0, LONGEST_LEGEND)
    .map(([label, share]) => legendRow(classes[label], share, (chip) => colourChip(chip, colours, label)));
  const others = shares.slice(LONGEST_LEGEND);
  if (others.length) {
    const share = others.reduce((sum, [, other]) => sum + other, 0);
    rows.push(legendRow(`${others.length} more`, share, (chip) => (chip.style.visibility = "hidden")));
  }
  find(root, ".legend ul", HTMLElement).replaceChildren(...rows);
}

/**
 * @param {string} name
 * @param {number} share
 * @param {(chip: HTMLElement) => void} colour
 */
function legendRow(name, share, colour) {
  const row = document.createElement("li");
  const [chip, text, percent] = ["chip", "name", "share"].map((kind) => {
    const span = document.createElement("span");
    span.className = kind;
    return span;
  });
  colour(chip);
  text.textContent = name;
  text.title = name;
  percent.textContent = share < 0.01 ? "< 1%" : `${Math.round(100 * share)}%`;
  row.append(chip, text, percent);
  return row;
}

/**
 * @param {HTMLElement} chip
 * @param {string[]} colours
 * @param {number} label
 */
function colourChip(chip, colours, label) {
  const { colour, stroke } = fillOf(colours, label);
  const patterned = label >= colours.length;
  chip.style.backgroundColor = `rgb(${colour})`;
  const stripes = `repeating-linear-gradient(45deg, rgb(${stroke}) 0 2px, transparent 2px 5px)`;
  chip.style.backgroundImage = patterned ? stripes : "";
}

/**
 * What the layer's colours mean; nothing without a layer.
 * @param {HTMLElement} root
 * @param {Layer | null} layer
 */
function showScale(root, layer) {
  find(root, ".scale", HTMLElement).hidden = !layer;
  write(root, ".layer-note", layer?.note ?? "");
  find(root, ".value-name", HTMLElement).hidden = !layer;
  find(root, ".value", HTMLElement).hidden = !layer;
  if (!layer) return;
  write(root, ".value-name", layer.name);
  write(root, ".scale-title", layer.title);
  const [lowest, highest] = layer.ends;
  write(root, ".low", `${lowest} ${threeDigits(layer.low)}`);
  write(root, ".high", `${threeDigits(layer.high)} ${highest}`);
  const stops = [0, 51, 102, 153, 204, 255].map((i) => {
    const pixel = layer.scale[i];
    return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
  });
  find(root, ".ramp", HTMLElement).style.backgroundImage = `linear-gradient(90deg, ${stops})`;
}

/** @param {number} value */
function threeDigits(value) {
  return Number(value.toPrecision(3)).toString();
}
