// @ts-check

/**
 * The arrow keys as steps on the screen: columns to the right, rows down.
 * @type {Record<string, [columns: number, rows: number]>}
 */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Keep the keys pressed in an element from Streamlit, which listens on the document and owns single letters: C clears
 * its caches, R runs the page again.
 * @param {Element} element
 * @param {AbortSignal} signal
 */
export function keepKeys(element, signal) {
  for (const type of ["keydown", "keyup", "keypress"]) {
    element.addEventListener(type, (event) => event.stopPropagation(), { signal });
  }
}

/**
 * Whether a key is the browser's or the system's own command.
 * @param {KeyboardEvent} event
 */
export function isCommand(event) {
  return event.ctrlKey || event.metaKey || event.altKey;
}
