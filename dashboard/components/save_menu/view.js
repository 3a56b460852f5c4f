// @ts-check
// Saves the chart or the table next to it: all is made here, from what the page shows, at the moment it is asked for.

import { keepKeys } from "../shared/keys.js";
import { component, find, write } from "../shared/life.js";
import { drawingOf, pictureOf } from "./drawing.js";
import { toCsv } from "./csv.js";
import { numbersOf } from "./numbers.js";

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {string} file the name of the files, without an ending
 * @property {string} title
 * @property {boolean} picture whether there is a chart to save, not only a table
 * @property {string} words what the chart shows, for people who cannot see it
 * @property {[name: string, value: string][]} about where the numbers come from
 * @property {import("./csv.js").Table | null} table the numbers, where the chart itself does not have them
 * @property {import("./drawing.js").Curve[]} curves a legend, where the chart itself has none
 */

/** @typedef {{root: HTMLDetailsElement, parent: ParentNode & Node, data: Data | null}} Menu */

const CLEANUP_MS = 10_000;

export default component(createMenu, receive);

/**
 * @param {ParentNode & Node} parent
 * @param {AbortSignal} ending
 * @returns {Menu}
 */
function createMenu(parent, ending) {
  /** @type {Menu} */
  const menu = { root: find(parent, ".menu", HTMLDetailsElement), parent, data: null };
  /** @type {Record<string, (menu: Menu, data: Data) => Blob | Promise<Blob>>} */
  const kinds = { png: makePicture, svg: makeDrawing, csv: makeNumbers };
  for (const [kind, make] of Object.entries(kinds)) {
    find(parent, `.${kind}`, HTMLButtonElement).addEventListener("click", () => save(menu, kind, make), { signal: ending });
  }
  find(parent, ".only", HTMLButtonElement).addEventListener("click", () => save(menu, "csv", makeNumbers), { signal: ending });
  menu.root.addEventListener("keydown", (event) => event.key === "Escape" && close(menu), { signal: ending });
  document.addEventListener("pointerdown", (event) => closeOutside(menu, event), { signal: ending });
  keepKeys(menu.root, ending);
  return menu;
}

/**
 * @param {Menu} menu
 * @param {Data} data
 */
function receive(menu, data) {
  menu.data = data;
  const [summary, only] = [find(menu.root, "summary", HTMLElement), find(menu.parent, ".only", HTMLButtonElement)];
  summary.setAttribute("aria-label", `Save: ${data.title}`);
  only.setAttribute("aria-label", `Save as CSV: ${data.title}`);
  menu.root.hidden = !data.picture;
  only.hidden = data.picture;
}

/** @param {Menu} menu */
function close(menu) {
  if (!menu.root.open) return;
  menu.root.open = false;
  find(menu.root, "summary", HTMLElement).focus();
}

/**
 * @param {Menu} menu
 * @param {Event} event
 */
function closeOutside(menu, event) {
  if (!event.composedPath().includes(menu.root)) menu.root.open = false;
}

/**
 * The part of the page that holds the menu and what it saves.
 * @param {Menu} menu
 */
function stageOf({ parent }) {
  const root = parent.getRootNode();
  const host = root instanceof ShadowRoot ? root.host : root instanceof Document ? parent.parentElement : null;
  return host?.closest('[class*="st-key-saved-"]') ?? null;
}

/**
 * @param {Menu} menu
 * @param {string} kind
 * @param {(menu: Menu, data: Data) => Blob | Promise<Blob>} make
 */
async function save(menu, kind, make) {
  if (!menu.data) return;
  const name = `${menu.data.file}.${kind}`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await make(menu, menu.data));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), CLEANUP_MS);
  close(menu);
  write(menu.parent, ".spoken", `Saved as ${name}`);
}

/**
 * @param {Menu} menu
 * @param {Data} data
 */
async function makeDrawing(menu, data) {
  const drawing = await drawingOf(stageOf(menu), data, lookOf(menu));
  return new Blob([drawing.text], { type: "image/svg+xml" });
}

/**
 * @param {Menu} menu
 * @param {Data} data
 */
async function makePicture(menu, data) {
  return pictureOf(await drawingOf(stageOf(menu), data, lookOf(menu)));
}

/**
 * @param {Menu} menu
 * @param {Data} data
 */
function makeNumbers(menu, data) {
  return new Blob([toCsv(data.table ?? numbersOf(stageOf(menu)), [["title", data.title], ...data.about])], { type: "text/csv" });
}

/**
 * The page's own colours, so that what is written on the chart is as legible in the file.
 * @param {Menu} menu
 */
function lookOf({ root }) {
  const style = getComputedStyle(root);
  return { paper: style.getPropertyValue("--st-background-color"), ink: style.getPropertyValue("--st-text-color") };
}
