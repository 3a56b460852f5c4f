// @ts-check
// Bytes travel between Python and the browser as base64.

/** @param {string} text */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** @param {Uint8Array | Uint8ClampedArray} bytes */
export function toBase64(bytes) {
  return btoa(Array.from(bytes, (value) => String.fromCharCode(value)).join(""));
}
