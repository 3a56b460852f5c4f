// @ts-check
// The numbers of a Plotly chart as a table, read from the chart itself. A trace's `meta` says what its numbers are
// called, where the titles of the axes do not; a trace without it that nothing is shown of on hover is decoration.

/** @typedef {import("./csv.js").Cell} Cell */

/**
 * @typedef {object} Trace
 * @property {string} type
 * @property {string} name
 * @property {string} hoverinfo
 * @property {ArrayLike<Cell>} x
 * @property {ArrayLike<Cell>} y
 * @property {ArrayLike<ArrayLike<number>>} [z]
 * @property {ArrayLike<Cell>} [text]
 * @property {ArrayLike<Cell | Cell[]>} [customdata]
 * @property {Partial<Names>} [meta]
 */

/** @typedef {{curve: string | undefined, x: string, y: string, z: string, text: string, customdata: string[]}} Names */

/** @typedef {HTMLElement & {_fullData: Trace[], data: {name?: string}[], _fullLayout: any}} Plot */

/**
 * @param {Element | null} stage
 * @returns {import("./csv.js").Table}
 */
export function numbersOf(stage) {
  const plot = /** @type {Plot | null | undefined} */ (stage?.querySelector(".js-plotly-plot"));
  if (!plot) return { columns: [], rows: [] };
  const { xaxis, yaxis } = plot._fullLayout;
  const titles = { x: titleOf(xaxis), y: titleOf(yaxis), z: "value", text: "", customdata: [] };
  /** @type {Record<string, Cell>[]} */
  const records = [];
  plot._fullData.forEach((trace, number) => {
    if (trace.hoverinfo === "skip" && !trace.meta) return;
    const names = { curve: plot.data[number].name, ...titles, ...trace.meta };
    for (const record of recordsOf(trace, names)) records.push(names.curve ? { curve: names.curve, ...record } : record);
  });
  const columns = [...new Set(records.flatMap(Object.keys))];
  return { columns, rows: records.map((record) => columns.map((column) => record[column])) };
}

/**
 * @param {Trace} trace
 * @param {Names} names
 * @returns {Record<string, Cell>[]}
 */
function recordsOf({ x, y, z, text, customdata }, names) {
  if (z) {
    const cells = Array.from(z, (row, r) => Array.from(row, (value, c) => ({ value, x: x[c], y: y[r] })));
    return cells.flat().map((cell) => named([[names.x, cell.x], [names.y, cell.y], [names.z, cell.value]]));
  }
  return Array.from({ length: x.length }, (_, i) => {
    const more = [customdata?.[i]].flat();
    /** @type {[name: string, value: Cell][]} */
    const cells = names.customdata.map((name, at) => [name, more[at]]);
    return named([[names.x, x[i]], [names.y, y[i]], ...cells, [names.text, text?.[i]]]);
  });
}

/**
 * @param {[name: string, value: Cell][]} cells one without a name is left out
 * @returns {Record<string, Cell>}
 */
function named(cells) {
  return Object.fromEntries(cells.filter(([name]) => name));
}

/** @param {{title: {text: string}}} axis */
function titleOf(axis) {
  return axis.title.text.replaceAll(/\s+/g, " ").trim();
}
