// @ts-check
// Copies the address of what is shown in one click, and says who can open it.

import { keepOneEntryAPage } from "../shared/history.js";
import { keepKeys } from "../shared/keys.js";
import { component, find, write } from "../shared/life.js";

/** @typedef {import("../shared/life.js").Answers} Answers */

/**
 * What Python sends.
 * @typedef {object} Data
 * @property {string} link
 * @property {string} command that opens the server to the network
 */

/** @typedef {{parent: ParentNode, link: string, copied: string, asked: number, ask: (times: number) => void}} View */

const ONLY_HERE = /^(localhost|127\.[\d.]+|\[::1\])$/;

export default component(createView, receive);

/**
 * @param {ParentNode} parent
 * @param {AbortSignal} ending
 * @returns {View}
 */
function createView(parent, ending) {
  /** @type {View} */
  const view = { parent, link: "", copied: "", asked: 0, ask: () => {} };
  const root = find(parent, ".link", HTMLElement);
  find(parent, "button", HTMLButtonElement).addEventListener("click", () => start(view), { signal: ending });
  find(parent, ".close", HTMLButtonElement).addEventListener("click", () => close(view), { signal: ending });
  root.addEventListener("keydown", (event) => event.key === "Escape" && close(view), { signal: ending });
  document.addEventListener("pointerdown", (event) => event.composedPath().includes(root) || hide(view), {
    signal: ending,
  });
  keepKeys(root, ending);
  keepOneEntryAPage();
  return view;
}

/**
 * @param {View} view
 * @param {Data} data
 * @param {Answers} answers
 */
function receive(view, data, { setTriggerValue }) {
  view.link = data.link;
  view.ask = (times) => setTriggerValue("asked", times);
  write(view.parent, "code", data.command);
  // Parts of a page change by themselves; asked for, the page has run again and knows what they show.
  if (!find(view.parent, ".told", HTMLElement).hidden && view.copied !== data.link) void copy(view);
}

/** @param {View} view */
function start(view) {
  const isLocal = ONLY_HERE.test(location.hostname);
  const reach = isLocal ? "on this computer only" : "on every computer that reaches this one";
  write(view.parent, ".reach", `It opens exactly this view, ${reach}.`);
  find(view.parent, ".sharing", HTMLElement).hidden = !isLocal;
  find(view.parent, ".told", HTMLElement).hidden = false;
  view.asked += 1;
  view.ask(view.asked);
  return copy(view);
}

/** @param {View} view */
async function copy(view) {
  view.copied = view.link;
  const address = find(view.parent, ".address", HTMLInputElement);
  address.value = view.link;
  const isCopied = (await toClipboard(view.link)) || copySelected(address);
  write(view.parent, ".done", isCopied ? "Copied." : "Your browser does not let pages copy. Press Ctrl+C or ⌘C:");
}

/** @param {string} text */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text); // there is no clipboard where the page is not a secure context
    return true;
  } catch {
    return false;
  }
}

/** @param {HTMLInputElement} address */
function copySelected(address) {
  address.focus();
  address.select();
  return document.execCommand("copy");
}

/** @param {View} view */
function hide({ parent }) {
  find(parent, ".told", HTMLElement).hidden = true;
}

/** @param {View} view */
function close(view) {
  hide(view);
  find(view.parent, "button", HTMLButtonElement).focus();
}
