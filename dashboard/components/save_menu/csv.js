// @ts-check

/** @typedef {string | number | boolean | null | undefined} Cell */
/** @typedef {{columns: string[], rows: Cell[][]}} Table */

const BYTE_ORDER_MARK = "\uFEFF"; // without it Excel takes the file for Latin 1

/**
 * A table as CSV, with where it comes from in comment lines before the head.
 * @param {Table} table
 * @param {[name: string, value: string][]} about
 */
export function toCsv({ columns, rows }, about) {
  const comments = about.map(([name, value]) => `# ${name}: ${value}`.replaceAll(/\s*[\r\n]+\s*/g, " "));
  const lines = [columns, ...rows].map((row) => row.map(toField).join(","));
  return `${BYTE_ORDER_MARK}${[...comments, ...lines].join("\r\n")}\r\n`;
}

/** @param {Cell} value */
function toField(value) {
  if (typeof value !== "string") return value === null || value === undefined ? "" : String(value);
  // A spreadsheet would run a text that begins like a formula.
  const text = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
  return /[",\r\n#]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
