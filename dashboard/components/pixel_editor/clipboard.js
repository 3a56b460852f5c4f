// @ts-check
// Pictures from the clipboard.

import { contextOf } from "../shared/canvas.js";
import { announce, announceLoudly } from "./panel.js";

/** @typedef {import("./editor.js").Editor} Editor */

const LARGEST_PASTE = 512; // pixels a side; Python would shrink it anyway

/**
 * @param {Editor} editor
 * @param {ClipboardEvent} event
 */
export function onPaste(editor, event) {
  const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
  if (!file || !editor.pastes) return;
  event.preventDefault();
  event.stopPropagation();
  takePasted(editor, file);
}

/** @param {Editor} editor */
export async function pasteFromClipboard(editor) {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((kind) => kind.startsWith("image/"));
      if (type) return takePasted(editor, await item.getType(type));
    }
    announceLoudly(editor, "There is no picture on the clipboard");
  } catch {
    announceLoudly(editor, "The browser does not allow access to the clipboard. Press Ctrl V on the canvas instead");
  }
}

/**
 * Send a picture to Python, shrunk here, so that a photograph does not travel whole.
 * @param {Editor} editor
 * @param {Blob} file
 */
async function takePasted(editor, file) {
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, LARGEST_PASTE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    contextOf(canvas).drawImage(picture, 0, 0, canvas.width, canvas.height);
    editor.send("paste", canvas.toDataURL("image/png").split(",")[1]);
    announce(editor, "Pasted");
  } catch {
    announceLoudly(editor, "This picture cannot be read");
  }
}
