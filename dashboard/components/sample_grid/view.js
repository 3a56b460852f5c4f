// @ts-check
// A list box of images. The focus stays on the grid; arrow keys move which image is active.

import { canvasOf, imageOf } from "../shared/canvas.js";
import { clamp } from "../shared/geometry.js";
import { isCommand, keepKeys } from "../shared/keys.js";
import { component, find } from "../shared/life.js";

/** @typedef {import("../shared/life.js").Answers} Answers */
/** @typedef {{place: number, pixels: string, colour: string, note: string, title: string}} Tile */
/** @typedef {[height: number, width: number]} Size */
/** @typedef {{tiles: Tile[], size: Size, selected: number, pinned: number}} Data */

/**
 * @typedef {object} View
 * @property {HTMLElement} grid
 * @property {Tile[]} tiles
 * @property {string} text what the tiles were made from
 * @property {number} active number of the tile that the keyboard is on
 * @property {(place: number, pin: boolean) => void} choose
 */

const PIN = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 4h6l-1 6 3 3H7l3-3zM12 13v7" /></svg>';

export default component(createView, receive);

/**
 * @param {ParentNode} parent
 * @param {AbortSignal} ending
 * @returns {View}
 */
function createView(parent, ending) {
  /** @type {View} */
  const view = { grid: find(parent, ".grid", HTMLElement), tiles: [], text: "", active: 0, choose: () => {} };
  view.grid.addEventListener("keydown", (event) => onKeyDown(view, event), { signal: ending });
  view.grid.addEventListener("click", (event) => onClick(view, event), { signal: ending });
  keepKeys(view.grid, ending);
  return view;
}

/**
 * @param {View} view
 * @param {Data} data
 * @param {Answers} answers
 */
function receive(view, data, { setTriggerValue }) {
  view.choose = (place, pin) => setTriggerValue("choice", { place, pin });
  const text = JSON.stringify([data.tiles, data.size]);
  if (text !== view.text) {
    view.text = text;
    const active = placeAfter(view, data);
    view.tiles = data.tiles;
    view.active = Math.max(data.tiles.findIndex(({ place }) => place === active), 0);
    view.grid.replaceChildren(...data.tiles.map((tile, number) => elementOf(tile, number, data.size)));
    if (!data.tiles.length) view.grid.innerHTML = '<div class="none">No test image matches.</div>';
  }
  view.tiles.forEach((tile, number) => {
    const element = view.grid.children[number];
    const pinned = tile.place === data.pinned;
    element.setAttribute("aria-selected", String(tile.place === data.selected));
    element.classList.toggle("pinned", pinned);
    element.setAttribute("aria-label", tile.title + (pinned ? ", pinned" : ""));
  });
  activate(view, view.active);
}

/**
 * The image that the keyboard is on once other tiles have come: the same one while the images are the same and only
 * their notes are new, else the selected one.
 * @param {View} view
 * @param {Data} data
 */
function placeAfter({ tiles, active }, data) {
  const places = data.tiles.map(({ place }) => place);
  const same = tiles.length === places.length && tiles.every(({ place }) => places.includes(place));
  return same && tiles.length ? tiles[active].place : data.selected;
}

/**
 * @param {Tile} tile
 * @param {number} number
 * @param {Size} size
 */
function elementOf(tile, number, [height, width]) {
  const element = document.createElement("div");
  element.className = "tile";
  element.id = `tile-${number}`;
  element.setAttribute("role", "option");
  element.title = tile.title;
  element.dataset.place = String(tile.place);
  element.style.setProperty("--frame", tile.colour);
  const note = document.createElement("div");
  note.className = "note";
  note.textContent = tile.note;
  const pin = document.createElement("span"); // no button: one may not stand inside an option, and P does the same
  pin.className = "pin";
  pin.title = "Pin for comparison";
  pin.setAttribute("aria-hidden", "true");
  pin.innerHTML = PIN;
  element.append(canvasOf(imageOf(tile.pixels, width, height, 3)), note, pin);
  return element;
}

/**
 * @param {View} view
 * @param {number} number
 */
function activate(view, number) {
  if (!view.tiles.length) {
    view.grid.removeAttribute("aria-activedescendant");
    return;
  }
  view.active = clamp(number, 0, view.tiles.length - 1);
  [...view.grid.children].forEach((element, place) => element.classList.toggle("active", place === view.active));
  view.grid.setAttribute("aria-activedescendant", `tile-${view.active}`);
}

/**
 * @param {View} view
 * @param {MouseEvent} event
 */
function onClick(view, event) {
  const clicked = /** @type {Element} */ (event.target);
  const number = [...view.grid.children].findIndex((element) => element.contains(clicked));
  if (!view.tiles[number]) return;
  activate(view, number);
  view.choose(view.tiles[number].place, clicked.closest(".pin") !== null);
}

/**
 * @param {View} view
 * @param {KeyboardEvent} event
 */
function onKeyDown(view, event) {
  if (isCommand(event) || !view.tiles.length) return;
  const last = view.tiles.length - 1;
  const columns = getComputedStyle(view.grid).gridTemplateColumns.split(" ").length;
  /** @type {Record<string, () => void>} */
  const acts = {
    ArrowLeft: () => step(view, -1),
    ArrowRight: () => step(view, 1),
    ArrowUp: () => step(view, -columns),
    ArrowDown: () => step(view, columns),
    Home: () => activate(view, 0),
    End: () => activate(view, last),
    Enter: () => view.choose(view.tiles[view.active].place, false),
    " ": () => view.choose(view.tiles[view.active].place, false),
    p: () => view.choose(view.tiles[view.active].place, true),
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(key in acts)) return;
  event.preventDefault();
  acts[key]();
}

/**
 * @param {View} view
 * @param {number} tiles how far, in reading order
 */
function step(view, tiles) {
  if (view.active + tiles in view.tiles) activate(view, view.active + tiles);
  view.grid.children[view.active].scrollIntoView({ block: "nearest" });
}
