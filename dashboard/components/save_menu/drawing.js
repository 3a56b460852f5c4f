// @ts-check
// A chart of the page as one SVG drawing with a title above and its source below, and as a picture of that.

import { fontRule } from "./font.js";

/** @typedef {{text: string, width: number, height: number}} Drawing */
/** @typedef {[name: string, colour: string, dash: [number, number]]} Curve */
/** @typedef {{paper: string, ink: string}} Look colours of the ground and of the words around the chart */

const SVG = "http://www.w3.org/2000/svg";
const EDGE = 14;
const HEAD = 28;
const LINE = 15;
const LEGEND = 20;
const SHARPNESS = 2;
const FONT = "Source Sans";
// What people see only while they point at something, and what only catches the pointer.
const PASSING = ".hoverlayer, .draglayer, .modebar, .zoomlayer, .zoombox";

/**
 * The chart in a part of the page: Plotly's, or Vega's.
 * @param {Element | null} stage
 * @returns {Element | null}
 */
function chartIn(stage) {
  return stage?.querySelector(".js-plotly-plot .svg-container, .vega-embed .chart-wrapper, .vega-embed") ?? null;
}

/**
 * @param {Element | null} stage
 * @param {{title: string, words: string, about: [name: string, value: string][], curves: Curve[]}} what
 * @param {Look} look
 * @returns {Promise<Drawing>}
 */
export async function drawingOf(stage, { title, words, about, curves }, { paper, ink }) {
  const chart = chartIn(stage);
  if (!chart) throw new Error("There is no chart to save");
  const box = chart.getBoundingClientRect();
  const width = Math.ceil(box.width) + 2 * EDGE;
  const source = wrapped(about.map(([name, value]) => `${name} ${value}`).join(" · "), width / 6);
  const head = HEAD + (curves.length ? LEGEND : 0);
  const height = Math.ceil(box.height) + head + LINE * source.length + EDGE;
  const whole = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": `${FONT}, Arial, sans-serif` });
  whole.append(make("style", {}, await fontRule(FONT)), make("desc", {}, words), make("rect", { width, height, fill: paper }));
  whole.append(make("text", { x: EDGE, y: 22, fill: ink, "font-size": 15, "font-weight": 600 }, title));
  whole.append(...legendOf(curves, ink));
  for (const layer of chart.querySelectorAll("svg")) {
    if (layer.parentElement?.closest("svg") || layer.closest(PASSING)) continue;
    const at = layer.getBoundingClientRect();
    const part = make("g", { transform: `translate(${EDGE + at.x - box.x} ${head + at.y - box.y})` });
    part.append(still(layer));
    whole.append(part);
  }
  source.forEach((line, number) => {
    const y = height - EDGE / 2 - LINE * (source.length - 1 - number) - 3;
    whole.append(make("text", { x: EDGE, y, fill: ink, "fill-opacity": 0.7, "font-size": 11 }, line));
  });
  return { text: new XMLSerializer().serializeToString(whole), width, height };
}

/**
 * The names of curves in a row, each after a piece of its line.
 * @param {Curve[]} curves
 * @param {string} ink
 */
function legendOf(curves, ink) {
  let x = EDGE;
  return curves.flatMap(([name, colour, dash]) => {
    const y = HEAD + 6;
    const piece = { x1: x, x2: x + 22, y1: y, y2: y, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash.join(" ") };
    const label = make("text", { x: x + 28, y: y + 4, fill: ink, "font-size": 12 }, name);
    x += 46 + 6.3 * name.length;
    return [make("line", piece), label];
  });
}

/**
 * @param {Drawing} drawing
 * @returns {Promise<Blob>}
 */
export async function pictureOf({ text, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = SHARPNESS * width;
  canvas.height = SHARPNESS * height;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large"))), "image/png");
  });
}

/** @param {SVGElement} layer */
function still(layer) {
  const copy = /** @type {SVGElement} */ (layer.cloneNode(true));
  for (const passing of copy.querySelectorAll(PASSING)) passing.remove();
  copy.removeAttribute("class");
  return copy;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function make(name, attributes, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  element.textContent = text;
  return element;
}

/**
 * @param {string} text
 * @param {number} most characters of a line
 */
function wrapped(text, most) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text ? text.split(" ") : []) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
