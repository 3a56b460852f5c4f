// @ts-check
// A film of label maps. Python sends all frames at once; the browser alone decides which one is shown, so that
// scrubbing and playing are smooth however busy the server is.

import { fromBase64 } from "../shared/bytes.js";
import { contextOf } from "../shared/canvas.js";
import { fromHex } from "../shared/colours.js";
import { keepKeys } from "../shared/keys.js";
import { component, find, write } from "../shared/life.js";

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {number} resolution
 * @property {number} count
 * @property {string} frames deflated, a byte a point
 * @property {string[]} captions
 * @property {Record<string, string>} classes
 * @property {Record<string, string>} colours
 * @property {[name: string, x: number, y: number][]} points in shares of the map, from its lower left corner
 */

/** @typedef {{data: Data, labels: Uint8Array}} Reel */

/**
 * @typedef {object} Film
 * @property {HTMLElement} root
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLInputElement} slider
 * @property {HTMLButtonElement} button
 * @property {string} text the frames that came last, packed
 * @property {Reel | null} reel
 * @property {number} frame
 * @property {number} timer not 0 while it plays
 * @property {number} waiting frames since the last one was reached
 */

const FRAME_MS = 220;
const PAUSE_AT_END = 5; // frames
const SVG = "http://www.w3.org/2000/svg";
const SIGNS = ["○", "◇", "□"];

export default component(createFilm, receive);

/**
 * @param {ParentNode} parent
 * @param {AbortSignal} ending
 * @returns {Film}
 */
function createFilm(parent, ending) {
  /** @type {Film} */
  const film = {
    root: find(parent, ".film", HTMLElement),
    canvas: find(parent, "canvas", HTMLCanvasElement),
    slider: find(parent, "input", HTMLInputElement),
    button: find(parent, ".play", HTMLButtonElement),
    text: "",
    reel: null,
    frame: 0,
    timer: 0,
    waiting: 0,
  };
  film.slider.addEventListener("input", () => scrub(film), { signal: ending });
  film.button.addEventListener("click", () => (film.timer ? stop(film) : play(film)), { signal: ending });
  keepKeys(film.root, ending);
  ending.addEventListener("abort", () => stop(film));
  return film;
}

/**
 * @param {Film} film
 * @param {Data} data
 */
async function receive(film, data) {
  if (film.text === data.frames) return;
  film.text = data.frames;
  const labels = await inflate(data.frames);
  if (film.text !== data.frames) return; // a newer one has overtaken it
  const before = film.reel?.data;
  const atEnd = !before || film.frame >= before.count - 1;
  const isAnother = before !== undefined && data.count < before.count;
  const reel = { data, labels };
  film.reel = reel;
  film.slider.max = String(data.count - 1);
  film.root.classList.toggle("single", data.count < 2);
  showLegend(film.root, data);
  showMarks(film.root, data);
  if (isAnother) stop(film);
  const last = data.count - 1;
  show(film, reel, (atEnd && !film.timer) || isAnother ? last : Math.min(film.frame, last));
}

/** @param {string} text */
async function inflate(text) {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * @param {Film} film
 * @param {Reel} reel
 * @param {number} frame
 */
function show(film, { data, labels }, frame) {
  const { canvas, slider } = film;
  film.frame = frame;
  const side = data.resolution;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const shown = labels.subarray(frame * side * side, (frame + 1) * side * side);
  contextOf(canvas).putImageData(pictureOf(shown, data), 0, 0);
  slider.value = String(frame);
  const caption = data.captions[frame];
  write(film.root, ".caption", caption);
  slider.setAttribute("aria-valuetext", caption);
  canvas.setAttribute("aria-label", `Slice of the decision function. ${caption}. ${sharesOf(shown, data)}`);
}

/**
 * @param {Uint8Array} labels
 * @param {Data} data
 */
function pictureOf(labels, { resolution: side, colours }) {
  const rgb = Object.fromEntries(Object.entries(colours).map(([label, hex]) => [label, [...fromHex(hex), 255]]));
  const picture = new ImageData(side, side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      // Row 0 is the lowest.
      picture.data.set(rgb[labels[row * side + column]], 4 * ((side - 1 - row) * side + column));
    }
  }
  return picture;
}

/**
 * The most frequent classes, in words.
 * @param {Uint8Array} labels
 * @param {Data} data
 */
function sharesOf(labels, { classes }) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 4)
    .map(([label, count]) => `${classes[label]} ${Math.round((100 * count) / labels.length)}%`)
    .join(", ");
}

/**
 * @param {HTMLElement} root
 * @param {Data} data
 */
function showLegend(root, { classes, colours, points }) {
  const entries = Object.entries(classes).map(([label, name]) => {
    const entry = document.createElement("span");
    const swatch = document.createElement("i");
    swatch.style.setProperty("--swatch", colours[label]);
    entry.append(swatch, name);
    return entry;
  });
  const signs = points.map(([name], index) => {
    const entry = document.createElement("span");
    entry.textContent = `${SIGNS[index] ?? "·"} ${name}`;
    return entry;
  });
  find(root, ".legend", HTMLElement).replaceChildren(...entries, ...signs);
}

/**
 * A circle, a diamond, a square: as on the slice of Explore.
 * @param {HTMLElement} root
 * @param {Data} data
 */
function showMarks(root, { points }) {
  const marks = points.map(([name, x, y], index) => {
    const [left, top] = [100 * x, 100 * (1 - y)];
    const mark = document.createElementNS(SVG, index === 0 ? "circle" : "rect");
    const shape =
      index === 0
        ? { cx: left, cy: top, r: 2.6 }
        : { x: left - 2.3, y: top - 2.3, width: 4.6, height: 4.6 };
    for (const [attribute, value] of Object.entries(shape)) mark.setAttribute(attribute, String(value));
    if (index === 1) mark.setAttribute("transform", `rotate(45 ${left} ${top})`);
    const title = document.createElementNS(SVG, "title");
    title.textContent = name;
    mark.append(title);
    return mark;
  });
  find(root, ".marks", SVGElement).replaceChildren(...marks);
}

/** @param {Film} film */
function scrub(film) {
  stop(film);
  if (film.reel) show(film, film.reel, Number(film.slider.value));
}

/** @param {Film} film */
function play(film) {
  if (!film.reel) return;
  if (film.frame >= film.reel.data.count - 1) show(film, film.reel, 0);
  film.waiting = 0;
  film.timer = setInterval(() => step(film), FRAME_MS);
  film.root.classList.add("playing");
  film.button.setAttribute("aria-label", "Pause");
}

/** @param {Film} film */
function step(film) {
  if (!film.reel) return;
  if (film.frame < film.reel.data.count - 1) return show(film, film.reel, film.frame + 1);
  film.waiting += 1;
  if (film.waiting >= PAUSE_AT_END) stop(film);
}

/** @param {Film} film */
function stop(film) {
  clearInterval(film.timer);
  film.timer = 0;
  film.root.classList.remove("playing");
  film.button.setAttribute("aria-label", "Play");
}
