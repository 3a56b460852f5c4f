/* A slice of the decision function: a map of predicted labels that shows the image behind each of its points.

   Python sends one label per grid point and the three images that span the plane. The image at (x, y) is
   origin + x * x_axis + y * y_axis, so it is drawn here, at once, without asking the server.
   A layer (probability, margin, W) takes the place of the labels' colours; their borders and names stay.
   What never changes under the cursor (map, names, rings, points) is painted once into `view.base`. */

const MARGIN = { left: 40, right: 12, top: 12, bottom: 40 };
const GRAB_PX = 9; // how near to a point of interest the mouse takes that very point
const HIDDEN_PX = 9; // rings smaller than this vanish under the marks
const TAP_PX = 8; // a touch that moves further is a look, not a choice
const TILE = 16; // edge of the repeated pattern that fills a region, in device pixels
// Where a label may stand beside its mark, and how little it is liked there: the arrow leaves to the sides.
const AROUND = [[0, -1, 0], [0, 1, 1], [1, -1, 3], [-1, -1, 3], [-1, 0, 4], [1, 0, 4], [1, 1, 5], [-1, 1, 5]];
const MARKS = {
  clean: { shape: "circle", colour: "#0072b2" },
  triggered: { shape: "diamond", colour: "#d55e00", tag: "#b34e00" }, // white letters need the darker tag
  other: { shape: "square", colour: "#4a4a4a" },
};

const views = new WeakMap();
const living = new Set(); // the same views, for those of one group to find each other

export default function sliceView({ parentElement, data: [data], setStateValue, setTriggerValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = createView(parentElement);
    views.set(parentElement, view);
    living.add(view);
  }
  view.send = (selection) => setStateValue("selection", selection);
  receive(view, data);
  paint(view);
  // Asked for only when this one has been seen.
  if (data.growing !== null) afterNextFrame(view, () => setTriggerValue("drawn", data.growing));
  return () => {
    // Streamlit also runs this for a call that a newer one overtook; only a component off the page is finished.
    if (parentElement.isConnected) return;
    view.listening.abort();
    view.resizing.disconnect();
    cancelAnimationFrame(view.frame);
    views.delete(parentElement);
    living.delete(view);
  };
}

// --- life -----------------------------------------------------------------------------------------------------------

function createView(root) {
  const find = (selector) => root.querySelector(selector);
  const view = {
    root: find(".slice"),
    canvas: find(".plane"),
    picture: find(".picture"),
    find,
    base: document.createElement("canvas"),
    cursor: null, // {x, y, by: "pointer" | "keys"}
    pressed: null, // where the pointer went down
    selected: null,
    pick: 0, // selections made here so far; Python sends back the last one it knows
    frame: 0,
    listening: new AbortController(),
  };
  listen(view);
  view.resizing = new ResizeObserver(() => paint(view));
  view.resizing.observe(view.canvas);
  document.fonts.ready.then(() => {
    view.painted = null; // what was written so far may have been in another font
    paint(view);
  });
  return view;
}

function afterNextFrame(view, act) {
  requestAnimationFrame(() => setTimeout(() => view.listening.signal.aborted || act()));
}

function receive(view, { slice, height, compact, selected, pick, growing, group }) {
  const text = JSON.stringify(slice);
  if (text !== view.text) receiveSlice(view, slice, text);
  showGrowing(view, growing);
  view.group = group;
  view.root.style.setProperty("--map-edge", `${height}px`);
  view.root.classList.toggle("compact", compact);
  if (pick < view.pick) return; // Python has yet to hear of the newest selection
  view.pick = pick;
  const place = selected && { x: selected[0], y: selected[1] };
  view.selected = place && onMap(slice.extent, place) ? place : null;
}

function receiveSlice(view, slice, text) {
  view.data = slice;
  view.text = text;
  view.labels = bytesOf(slice.labels);
  view.images = Object.fromEntries(Object.entries(slice.images).map(([name, image]) => [name, valuesOf(image)]));
  view.layer = slice.layer && layerOf(slice.layer);
  view.points = slice.points.filter((point) => onMap(slice.extent, point));
  if (view.cursor && !onMap(slice.extent, view.cursor)) view.cursor = null;
  view.canvas.setAttribute("aria-label", slice.description);
  view.find(".x-name").textContent = slice.axisNames[0];
  view.find(".y-name").textContent = slice.axisNames[1];
  showLegend(view);
  showScale(view);
}

function showGrowing(view, growing) {
  const bar = view.find(".growing");
  view.canvas.setAttribute("aria-busy", String(growing !== null));
  bar.classList.toggle("on", growing !== null);
  bar.firstElementChild.style.width = `${Math.round(100 * (growing ?? 1))}%`;
}

/** A layer with its numbers, shares of the colour scale, and the scale as ready pixels (little-endian RGBA). */
function layerOf(layer) {
  const bytes = new DataView(bytesOf(layer.values).buffer);
  const colours = bytesOf(layer.colours);
  return {
    ...layer,
    values: Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) => bytes.getFloat32(4 * i, true)),
    shares: bytesOf(layer.shares),
    scale: Uint32Array.from({ length: 256 }, (_, i) => {
      const [r, g, b] = colours.subarray(3 * i, 3 * i + 3);
      return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }),
  };
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function valuesOf({ offset, scale, steps }) {
  const bytes = new DataView(bytesOf(steps).buffer);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) => offset + scale * bytes.getUint16(2 * i, true));
}

// --- the plane ------------------------------------------------------------------------------------------------------

/** Column and row of the grid point nearest to (x, y). */
function cellOf({ extent, resolution }, { x, y }) {
  const nearest = (value, first, last) => {
    const index = Math.round(((value - first) / (last - first)) * (resolution - 1));
    return Math.min(resolution - 1, Math.max(0, index));
  };
  return { column: nearest(x, extent[0], extent[1]), row: nearest(y, extent[2], extent[3]) };
}

function placeOf({ extent, resolution }, { column, row }) {
  const [x0, x1, y0, y1] = extent;
  return { x: x0 + ((x1 - x0) * column) / (resolution - 1), y: y0 + ((y1 - y0) * row) / (resolution - 1) };
}

function onMap([x0, x1, y0, y1], { x, y }) {
  return x >= x0 && x <= x1 && y >= y0 && y <= y1;
}

function labelAt(view, place) {
  const { column, row } = cellOf(view.data, place);
  return view.labels[row * view.data.resolution + column];
}

/** The layer's number at the nearest point of its own grid. */
function layerValueAt({ data: { extent }, layer }, place) {
  const { column, row } = cellOf({ extent, resolution: layer.resolution }, place);
  return layer.values[row * layer.resolution + column];
}

function pointAt(view, place) {
  return view.points.find((point) => point.x === place.x && point.y === place.y);
}

/** A grid point, or the point of interest that lies in its cell: people mean that very image. */
function placeOfCell(view, cell) {
  const owner = view.points.find((point) => {
    const own = cellOf(view.data, point);
    return own.column === cell.column && own.row === cell.row;
  });
  return owner ? { x: owner.x, y: owner.y } : placeOf(view.data, cell);
}

// --- geometry on screen ---------------------------------------------------------------------------------------------

function frameOf(view) {
  const width = view.canvas.clientWidth;
  return {
    left: MARGIN.left,
    top: MARGIN.top,
    width: width - MARGIN.left - MARGIN.right,
    height: width - MARGIN.top - MARGIN.bottom,
    extent: view.data.extent,
  };
}

function toScreen({ left, top, width, height, extent: [x0, x1, y0, y1] }, { x, y }) {
  return { x: left + ((x - x0) / (x1 - x0)) * width, y: top + ((y1 - y) / (y1 - y0)) * height };
}

function fromScreen({ left, top, width, height, extent: [x0, x1, y0, y1] }, { x, y }) {
  return { x: x0 + ((x - left) / width) * (x1 - x0), y: y1 - ((y - top) / height) * (y1 - y0) };
}

/** The point of the plane meant by a place on the canvas, or null beside the map. */
function aim(view, spot, clamp) {
  const frame = frameOf(view);
  const away = (point) => distance(toScreen(frame, point), spot);
  const [nearest] = [...view.points].sort((a, b) => away(a) - away(b));
  if (nearest && away(nearest) <= GRAB_PX) return { x: nearest.x, y: nearest.y };
  const place = fromScreen(frame, spot);
  return clamp || onMap(frame.extent, place) ? placeOfCell(view, cellOf(view.data, place)) : null;
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

// --- people ---------------------------------------------------------------------------------------------------------

function listen(view) {
  const on = (name, handle) => view.canvas.addEventListener(name, handle, { signal: view.listening.signal });
  on("pointerdown", (event) => pointerDown(view, event));
  on("pointermove", (event) => pointerMove(view, event));
  on("pointerup", (event) => pointerUp(view, event));
  on("pointercancel", () => (view.pressed = null));
  on("pointerleave", (event) => pointerLeave(view, event));
  on("focus", () => view.canvas.matches(":focus-visible") && moveCursor(view, startOf(view), "keys"));
  on("blur", () => view.cursor?.by === "keys" && moveCursor(view, null));
  on("keydown", (event) => keyDown(view, event));
  // Streamlit owns single letters (C clears caches, R reruns): no key leaves while the map has the focus.
  for (const name of ["keyup", "keypress"]) on(name, (event) => event.stopPropagation());
}

function spotOf(event) {
  return { x: event.offsetX, y: event.offsetY };
}

function pointerDown(view, event) {
  if (event.button !== 0) return;
  view.pressed = spotOf(event);
  moveCursor(view, aim(view, view.pressed, false), "pointer");
}

function pointerMove(view, event) {
  moveCursor(view, aim(view, spotOf(event), view.pressed !== null), "pointer");
}

function pointerUp(view, event) {
  const moved = view.pressed ? distance(view.pressed, spotOf(event)) : Infinity;
  view.pressed = null;
  const place = aim(view, spotOf(event), false);
  if (moved <= TAP_PX && place) select(view, place);
}

function pointerLeave(view, event) {
  view.pressed = null;
  // A finger that is lifted "leaves" too: what it found stays on the card.
  if (event.pointerType !== "touch" && view.cursor?.by === "pointer") moveCursor(view, null);
}

function keyDown(view, event) {
  event.stopPropagation();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? 10 : 1;
  const act = {
    ArrowLeft: () => stepBy(view, -step, 0),
    ArrowRight: () => stepBy(view, step, 0),
    ArrowUp: () => stepBy(view, 0, step),
    ArrowDown: () => stepBy(view, 0, -step),
    Enter: () => select(view, view.cursor ?? startOf(view)),
    Escape: () => select(view, null),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function startOf(view) {
  return view.selected ?? view.points[0] ?? placeOfCell(view, cellOf(view.data, { x: 0, y: 0 }));
}

function stepBy(view, columns, rows) {
  const cell = cellOf(view.data, view.cursor ?? startOf(view));
  const clamp = (index) => Math.min(view.data.resolution - 1, Math.max(0, index));
  moveCursor(view, placeOfCell(view, { column: clamp(cell.column + columns), row: clamp(cell.row + rows) }), "keys");
  say(view, inWords(view, view.cursor));
}

function moveCursor(view, place, by) {
  view.cursor = place && { x: place.x, y: place.y, by };
  refresh(view);
  for (const other of living) {
    if (other === view || !view.group || other.group !== view.group) continue;
    other.cursor = place && onMap(other.data.extent, place) ? { ...view.cursor, by: "another map" } : null;
    refresh(other);
  }
}

function select(view, place) {
  if (!place && !view.selected) return;
  view.selected = place && { x: place.x, y: place.y };
  view.pick += 1;
  view.send({ pick: view.pick, point: place ? [place.x, place.y] : null });
  say(view, place ? `Selected. ${inWords(view, place)}` : "Selection cleared.");
  refresh(view);
}

function say(view, text) {
  view.find(".spoken").textContent = text;
}

function inWords(view, place) {
  const [xName, yName] = view.data.axisNames;
  const point = pointAt(view, place);
  const value = view.layer ? `${view.layer.name} ${decimal(layerValueAt(view, place))}, ` : "";
  const where = `${value}${xName} ${decimal(place.x)}, ${yName} ${decimal(place.y)}`;
  return `${point ? `${point.name}: ` : ""}${view.data.classes[labelAt(view, place)]}. ${where}.`;
}

function decimal(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) !== 0 ? `\u2212${text}` : text;
}

// --- the card -------------------------------------------------------------------------------------------------------

function refresh(view) {
  showCard(view);
  if (!view.frame) view.frame = requestAnimationFrame(() => drawFrame(view));
}

function showCard(view) {
  const place = view.cursor ?? startOf(view);
  const label = labelAt(view, place);
  view.find(".card .title").textContent = titleOf(view, place);
  view.find(".facts .name").textContent = view.data.classes[label];
  view.find(".facts .name").title = view.data.classes[label];
  colourChip(view.find(".facts .chip"), view.data.colours, label);
  view.find(".x").textContent = decimal(place.x);
  view.find(".y").textContent = decimal(place.y);
  if (view.layer) view.find(".value").textContent = decimal(layerValueAt(view, place));
  const { low, high } = drawImage(view, place);
  const clipped = low < -0.005 || high > 1.005;
  view.find(".clipped").textContent = clipped ? `values ${decimal(low)} to ${decimal(high)}, clipped` : "";
  view.picture.setAttribute("aria-label", `Image at ${inWords(view, place)}`);
}

function titleOf(view, place) {
  const point = pointAt(view, place);
  const chosen = view.selected && view.selected.x === place.x && view.selected.y === place.y;
  if (point) return chosen ? `${point.name}, selected` : point.name;
  if (chosen) return "selected";
  return view.cursor?.by === "keys" ? "at the cursor" : "under the pointer";
}

/** Draws origin + x * x_axis + y * y_axis, clamped to [0, 1]; returns the extremes before the clamp. */
function drawImage(view, { x, y }) {
  const [channels, height, width] = view.data.shape;
  const { origin, xAxis, yAxis } = view.images;
  const pixels = height * width;
  const image = new ImageData(width, height);
  let low = Infinity;
  let high = -Infinity;
  for (let channel = 0; channel < 3; channel++) {
    const from = channels === 1 ? 0 : channel * pixels;
    for (let i = 0; i < pixels; i++) {
      const value = origin[from + i] + x * xAxis[from + i] + y * yAxis[from + i];
      if (value < low) low = value;
      if (value > high) high = value;
      image.data[4 * i + channel] = 255 * value; // Uint8ClampedArray rounds and clamps
    }
  }
  for (let i = 0; i < pixels; i++) image.data[4 * i + 3] = 255;
  if (view.picture.width !== width || view.picture.height !== height) {
    view.picture.width = width;
    view.picture.height = height;
  }
  view.picture.getContext("2d").putImageData(image, 0, 0);
  return { low, high };
}

function showLegend(view) {
  const { shares, classes, colours } = view.data;
  const rows = shares.slice(0, 6).map(([label, share]) => legendRow(classes[label], share, colours, label));
  if (shares.length > 6) {
    const rest = shares.slice(6).reduce((sum, [, share]) => sum + share, 0);
    rows.push(legendRow(`${shares.length - 6} more`, rest, colours, null));
  }
  view.find(".legend ul").replaceChildren(...rows);
}

/** What the layer's colours mean; nothing without a layer. */
function showScale(view) {
  const { layer } = view;
  view.find(".scale").hidden = !layer;
  view.find(".layer-note").textContent = layer?.note ?? "";
  for (const part of view.root.querySelectorAll(".of-layer")) part.hidden = !layer;
  if (!layer) return;
  view.find(".value-name").textContent = layer.name;
  view.find(".scale-title").textContent = layer.title;
  view.find(".low").textContent = number(layer.low);
  view.find(".high").textContent = number(layer.high);
  const stops = [0, 51, 102, 153, 204, 255].map((i) => {
    const pixel = layer.scale[i];
    return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
  });
  view.find(".ramp").style.backgroundImage = `linear-gradient(90deg, ${stops})`;
}

function number(value) {
  return Number(value.toPrecision(3)).toString();
}

function legendRow(name, share, colours, label) {
  const row = document.createElement("li");
  const [chip, text, part] = ["chip", "name", "share"].map((kind) => {
    const span = document.createElement("span");
    span.className = kind;
    return span;
  });
  if (label === null) chip.style.visibility = "hidden";
  else colourChip(chip, colours, label);
  text.textContent = name;
  text.title = name;
  part.textContent = share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
  row.append(chip, text, part);
  return row;
}

// --- colours --------------------------------------------------------------------------------------------------------

function rgbOf(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function mix(a, b, share) {
  return a.map((value, i) => Math.round(value + (b[i] - value) * share));
}

/** The fill of a label: a palette colour; labels beyond the palette get it lighter or darker under a pattern. */
export function fillOf(colours, label) {
  const colour = rgbOf(colours[label % colours.length]);
  const lap = Math.floor(label / colours.length);
  if (lap === 0) return { colour, stroke: colour, inStroke: () => false };
  const light = luminance(colour) > 0.3;
  const stroke = mix(colour, light ? [0, 0, 0] : [255, 255, 255], 0.45);
  const half = TILE / 2;
  const patterns = [
    (x, y) => (x + y) % half < 2,
    (x, y) => (x - y + TILE) % half < 2,
    (x, y) => x % half < 3 && y % half < 3,
    (x, y) => y % half < 2,
    (x, y) => (x + y) % half < 2 || (x - y + TILE) % half < 2,
  ];
  return { colour, stroke, inStroke: patterns[(lap - 1) % patterns.length] };
}

/** A TILE x TILE square of ready pixels (little-endian RGBA) that repeats over a label's region. */
function tileOf(colours, label) {
  const { colour, stroke, inStroke } = fillOf(colours, label);
  const pixel = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  return Uint32Array.from({ length: TILE * TILE }, (_, i) =>
    pixel(inStroke(i % TILE, Math.floor(i / TILE)) ? stroke : colour),
  );
}

function colourChip(chip, colours, label) {
  const { colour, stroke } = fillOf(colours, label);
  const patterned = label >= colours.length;
  chip.style.backgroundColor = `rgb(${colour})`;
  const stripes = `repeating-linear-gradient(45deg, rgb(${stroke}) 0 2px, transparent 2px 5px)`;
  chip.style.backgroundImage = patterned ? stripes : "";
}

function themeOf(view) {
  const style = getComputedStyle(view.root);
  return {
    text: style.color,
    ground: style.getPropertyValue("--st-background-color").trim() || "#ffffff",
    font: style.fontFamily,
  };
}

// --- the base picture -----------------------------------------------------------------------------------------------

/** Shows the current data; the base picture is painted anew only if map, theme or size changed. */
function paint(view) {
  const width = view.canvas.clientWidth;
  if (!view.data || width < MARGIN.left + MARGIN.right + 40) return;
  const theme = themeOf(view);
  const ratio = Math.min(2, Math.max(1, window.devicePixelRatio));
  const looks = [view.text, width, ratio, ...Object.values(theme)].join();
  if (looks !== view.painted) {
    for (const canvas of [view.base, view.canvas]) canvas.width = canvas.height = Math.round(width * ratio);
    view.ratio = view.base.width / width;
    paintBase(view, theme);
    view.painted = looks;
  }
  showCard(view);
  drawFrame(view);
}

function paintBase(view, theme) {
  const context = view.base.getContext("2d");
  context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  const frame = frameOf(view);
  paintRegions(view, context, frame, theme);
  paintAxes(context, frame, theme, view.data.axisNames);
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top, frame.width, frame.height);
  context.clip();
  paintRings(view, context, frame);
  context.restore();
  const taken = paintPoints(view, context, frame, theme);
  paintNames(view, context, frame, theme, taken);
}

function paintRegions(view, context, frame, theme) {
  const { resolution, colours, classes } = view.data;
  const tiles = classes.map((_, label) => tileOf(colours, label));
  const width = Math.round(frame.width * view.ratio);
  const height = Math.round(frame.height * view.ratio);
  const border = view.layer
    ? { rgb: [255, 255, 255], width: 1.5 * view.ratio, rim: 1.25 * view.ratio } // shows on dark and on light colours
    : { rgb: rgbOfCss(context, theme.ground), width: 1.25 * view.ratio };
  const pixels = shadeMap(view.labels, resolution, width, height, tiles, border, view.layer);
  const map = new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
  context.putImageData(map, Math.round(frame.left * view.ratio), Math.round(frame.top * view.ratio));
}

function rgbOfCss(context, css) {
  context.fillStyle = css;
  const hex = context.fillStyle;
  return hex.startsWith("#") ? rgbOf(hex) : [255, 255, 255];
}

/** Pixels of the label map. A pixel takes the label with the largest share among the nine grid points around it,
    weighted by a quadratic B-spline: borders run smoothly between the grid points, and since a grid point weighs 9/16
    at its own place, each one keeps its own label. A layer gives the colours in place of the labels' tiles. */
export function shadeMap(labels, resolution, width, height, tiles, border, layer = null) {
  const out = new Uint32Array(width * height);
  const mixed = mixedCells(labels, resolution);
  const columns = splines(width, resolution);
  const rows = splines(height, resolution).reverse();
  const cell = width / (resolution - 1);
  const shares = new Float32Array(256);
  const shade = layer && layerShades(layer, width, height);
  for (let py = 0; py < height; py++) {
    const tileRow = (py % TILE) * TILE;
    for (let px = 0; px < width; px++) {
      const centre = rows[py].cells[1] * resolution + columns[px].cells[1];
      const inTile = tileRow + (px % TILE);
      const at = py * width + px;
      if (mixed[centre]) {
        const [winner, lead] = contest(labels, resolution, columns[px], rows[py], shares);
        // Shares change by two per cell straight across a border, so the lead tells the distance to it.
        out[at] = bordered(shade ? shade[at] : tiles[winner][inTile], (lead * cell) / 2, border);
      } else {
        out[at] = shade ? shade[at] : tiles[labels[centre]][inTile];
      }
    }
  }
  return out;
}

/** Pixels of a layer's colours: its shares of the colour scale, mixed between the four grid points around a pixel. */
export function layerShades({ shares, resolution, scale }, width, height) {
  const out = new Uint32Array(width * height);
  const [columns, rows] = [width, height].map((pixels) =>
    Array.from({ length: pixels }, (_, pixel) => {
      const place = ((pixel + 0.5) / pixels) * (resolution - 1);
      const first = Math.min(resolution - 2, Math.floor(place));
      return { first, part: place - first };
    }),
  );
  rows.reverse();
  for (let py = 0; py < height; py++) {
    const { first: row, part: up } = rows[py];
    for (let px = 0; px < width; px++) {
      const { first: column, part: right } = columns[px];
      const i = row * resolution + column;
      const low = shares[i] + right * (shares[i + 1] - shares[i]);
      const high = shares[i + resolution] + right * (shares[i + resolution + 1] - shares[i + resolution]);
      out[py * width + px] = scale[Math.round(low + up * (high - low))];
    }
  }
  return out;
}

/** 1 for grid points with another label among their eight neighbours. */
function mixedCells(labels, resolution) {
  const mixed = new Uint8Array(labels.length);
  const last = resolution - 1;
  for (let i = 0; i < labels.length; i++) {
    const column = i % resolution;
    const right = column < last ? 1 : 0;
    const left = column > 0 ? 1 : 0;
    for (const j of [i + right, i + resolution, i + resolution + right, i + resolution - left]) {
      if (j < labels.length && labels[j] !== labels[i]) mixed[i] = mixed[j] = 1;
    }
  }
  return mixed;
}

/** For each pixel of a row: the three grid points around it and their weights. */
function splines(pixels, resolution) {
  const last = resolution - 1;
  return Array.from({ length: pixels }, (_, pixel) => {
    const place = ((pixel + 0.5) / pixels) * last;
    const middle = Math.round(place);
    const t = place - middle;
    return {
      cells: [Math.max(0, middle - 1), middle, Math.min(last, middle + 1)],
      weights: [0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2],
    };
  });
}

/** The label with the largest share at a pixel, and its lead over the next one. `shares` comes and goes as zeros. */
function contest(labels, resolution, column, row, shares) {
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      shares[labels[row.cells[r] * resolution + column.cells[c]]] += row.weights[r] * column.weights[c];
    }
  }
  let winner = 0;
  let most = 0;
  let second = 0;
  for (let i = 0; i < 9; i++) {
    const label = labels[row.cells[Math.floor(i / 3)] * resolution + column.cells[i % 3]];
    const share = shares[label];
    shares[label] = 0;
    if (share > most) {
      second = most;
      most = share;
      winner = label;
    } else if (share > second) second = share;
  }
  return [winner, most - second];
}

/** A pixel (little-endian RGBA) crossed over to the border's colour as far as the border covers it, and to black as far
    as its rim does, if it has one. */
function bordered(pixel, toBorder, border) {
  const rimmed = border.rim
    ? covered(pixel, toBorder, { rgb: [0, 0, 0], width: border.width + 2 * border.rim }, 0.55)
    : pixel;
  return covered(rimmed, toBorder, border, 1);
}

function covered(pixel, toBorder, border, opacity) {
  const cover = opacity * Math.min(1, Math.max(0, border.width / 2 + 0.5 - toBorder));
  if (cover === 0) return pixel;
  const blend = (shift, towards) => {
    const from = (pixel >> shift) & 255;
    return Math.round(from + (towards - from) * cover) << shift;
  };
  return ((255 << 24) | blend(16, border.rgb[2]) | blend(8, border.rgb[1]) | blend(0, border.rgb[0])) >>> 0;
}

function paintAxes(context, frame, theme, [xName, yName]) {
  const { left, top, width, height, extent } = frame;
  const bottom = top + height;
  context.fillStyle = theme.text;
  context.strokeStyle = theme.text;
  context.globalAlpha = 0.74;
  context.lineWidth = 1;
  context.font = `11px ${theme.font}`;
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const tick of ticksOf(extent[0], extent[1], width / 70)) {
    const { x } = toScreen(frame, { x: tick.value, y: 0 });
    line(context, x, bottom, x, bottom + 3);
    context.fillText(tick.text, x, bottom + 6);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of ticksOf(extent[2], extent[3], height / 70)) {
    const { y } = toScreen(frame, { x: 0, y: tick.value });
    line(context, left - 3, y, left, y);
    context.fillText(tick.text, left - 6, y);
  }
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.font = `12px ${theme.font}`;
  context.fillText(`${xName}, distance (L2)`, left + width / 2, bottom + 34);
  context.translate(11, top + height / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(`${yName}, distance (L2)`, 0, 0);
  context.rotate(Math.PI / 2);
  context.translate(-11, -(top + height / 2));
  context.globalAlpha = 1;
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function ticksOf(first, last, wanted) {
  const rough = (last - first) / Math.max(2, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let i = Math.ceil(first / step - 1e-9); i * step <= last + 1e-9 * step; i++) {
    ticks.push({ value: i * step, text: (i * step).toFixed(digits).replace("-", "\u2212") });
  }
  return ticks;
}

/** Half-axes of a ring of radius sigma on screen; null without one. */
function ringOf({ sigma }, { width, height, extent: [x0, x1, y0, y1] }) {
  return sigma === null ? null : [(sigma / (x1 - x0)) * width, (sigma / (y1 - y0)) * height];
}

function paintRings(view, context, frame) {
  const radii = ringOf(view.data, frame);
  const hidden = radii && Math.max(...radii) < HIDDEN_PX ? " Here they are smaller than the marks." : "";
  view.find(".ring").textContent = view.data.ringCaption + hidden;
  if (!radii) return;
  for (const point of view.points.filter(({ mark }) => mark !== "other")) {
    const centre = toScreen(frame, point);
    const ring = new Path2D();
    ring.ellipse(centre.x, centre.y, ...radii, 0, 0, 2 * Math.PI);
    strokeTwice(context, ring, MARKS[point.mark].colour, 1.75, point.mark === "triggered" ? [5, 3] : []);
  }
}

/** A line that shows on every ground: white below, its own colour above. */
function strokeTwice(context, path, colour, width, dash = []) {
  context.lineWidth = width + 2.5;
  context.strokeStyle = "rgba(255, 255, 255, 0.9)";
  context.stroke(path);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.setLineDash(dash);
  context.stroke(path);
  context.setLineDash([]);
}

// --- points and their labels ----------------------------------------------------------------------------------------

function paintPoints(view, context, frame, theme) {
  const spots = view.points.map((point) => ({ ...point, at: toScreen(frame, point) }));
  const clean = spots.find(({ mark }) => mark === "clean");
  const triggered = spots.find(({ mark }) => mark === "triggered");
  if (clean && triggered) paintArrow(context, clean.at, triggered.at);
  for (const spot of [...spots].reverse()) paintMark(context, spot.at, MARKS[spot.mark]);
  context.font = `600 12px ${theme.font}`;
  const widths = spots.map(({ name }) => Math.min(frame.width - 6, context.measureText(name).width + 12));
  const sizes = widths.map((width) => ({ width, height: 19 }));
  const ring = Math.max(...(ringOf(view.data, frame) ?? [0]));
  const clear = spots.map(({ mark }) => (mark !== "other" && ring < 40 ? Math.max(13, ring + 5) : 13));
  const boxes = placeLabels(spots.map(({ at }) => at), sizes, clear, frame);
  spots.forEach((spot, i) => paintTag(context, spot, boxes[i], clear[i]));
  const arrow = clean && triggered ? alongLine(clean.at, triggered.at) : [];
  return [...spots.map(({ at }) => around(at, 12)), ...arrow, ...boxes];
}

function around({ x, y }, reach) {
  return { x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach };
}

/** Small boxes that cover a line. */
function alongLine(from, to) {
  const pieces = Math.ceil(distance(from, to) / 10);
  return Array.from({ length: pieces }, (_, i) => {
    const part = (i + 0.5) / pieces;
    return around({ x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }, 6);
  });
}

function paintArrow(context, from, to) {
  const length = distance(from, to);
  if (length < 30) return;
  const unit = { x: (to.x - from.x) / length, y: (to.y - from.y) / length };
  const along = (reach, aside = 0) => [
    from.x + unit.x * reach - unit.y * aside,
    from.y + unit.y * reach + unit.x * aside,
  ];
  const arrow = new Path2D();
  arrow.moveTo(...along(10));
  arrow.lineTo(...along(length - 13));
  arrow.moveTo(...along(length - 19, 4.5));
  arrow.lineTo(...along(length - 12.5));
  arrow.lineTo(...along(length - 19, -4.5));
  context.lineJoin = "round";
  context.lineCap = "round";
  strokeTwice(context, arrow, "#1a1a1a", 1.75);
  context.lineCap = "butt";
}

function markPath({ x, y }, shape) {
  const path = new Path2D();
  if (shape === "circle") path.arc(x, y, 6, 0, 2 * Math.PI);
  if (shape === "square") path.rect(x - 5.25, y - 5.25, 10.5, 10.5);
  if (shape === "diamond") {
    path.moveTo(x, y - 7.75);
    path.lineTo(x + 7.75, y);
    path.lineTo(x, y + 7.75);
    path.lineTo(x - 7.75, y);
    path.closePath();
  }
  return path;
}

function paintMark(context, at, { shape, colour }) {
  const path = markPath(at, shape);
  context.lineJoin = "miter";
  for (const [width, style] of [[5.5, "#1a1a1a"], [3.75, "#ffffff"]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke(path);
  }
  context.fillStyle = colour;
  context.fill(path);
}

/** A box for each label: beside its mark (`clear` pixels away), inside the frame, off all marks and other labels. */
export function placeLabels(spots, sizes, clear, frame) {
  const marks = spots.map((spot) => around(spot, 11));
  const placed = [];
  spots.forEach((spot, i) => {
    let best = null;
    for (const box of candidates(spot, sizes[i], clear[i])) {
      const moved = pushInside(box, frame);
      const strayed = Math.hypot(moved.x - box.x, moved.y - box.y);
      const onMarks = marks.reduce((sum, mark) => sum + overlap(moved, mark), 0);
      const onLabels = placed.reduce((sum, other) => sum + overlap(moved, other), 0);
      const cost = box.cost + strayed + 10 * onMarks + 100 * onLabels;
      if (!best || cost < best.cost) best = { ...moved, cost };
    }
    placed.push(best);
  });
  return placed;
}

/** Places around a mark: near ones first. */
function candidates({ x, y }, { width, height }, clear) {
  const places = [];
  for (const reach of [clear, clear + 21, clear + 45]) {
    for (const [across, down, cost] of AROUND) {
      const short = across && down ? 0.6 : 1;
      places.push({
        x: x + across * (reach * short + width / 2) - width / 2,
        y: y + down * (reach * short + height / 2) - height / 2,
        width,
        height,
        cost: cost + reach / 2,
      });
    }
  }
  return places;
}

function pushInside(box, frame) {
  return {
    ...box,
    x: Math.min(frame.left + frame.width - box.width - 3, Math.max(frame.left + 3, box.x)),
    y: Math.min(frame.top + frame.height - box.height - 3, Math.max(frame.top + 3, box.y)),
  };
}

function overlap(a, b) {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

function paintTag(context, { name, at, mark }, box, clear) {
  const centre = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const gap = Math.max(Math.abs(centre.x - at.x) - box.width / 2, Math.abs(centre.y - at.y) - box.height / 2);
  if (gap > clear + 7) {
    const leader = new Path2D();
    leader.moveTo(at.x, at.y);
    leader.lineTo(centre.x, centre.y);
    strokeTwice(context, leader, MARKS[mark].colour, 1);
    paintMark(context, at, MARKS[mark]);
  }
  const tag = new Path2D();
  tag.roundRect(box.x, box.y, box.width, box.height, 4);
  context.fillStyle = MARKS[mark].tag ?? MARKS[mark].colour;
  context.fill(tag);
  context.lineWidth = 1.25;
  context.strokeStyle = "#ffffff";
  context.stroke(tag);
  context.fillStyle = "#ffffff";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(name, centre.x, centre.y + 0.5, box.width - 8);
}

// --- names of regions -----------------------------------------------------------------------------------------------

function paintNames(view, context, frame, theme, taken) {
  const { resolution, classes, colours } = view.data;
  const cell = { width: frame.width / (resolution - 1), height: frame.height / (resolution - 1) };
  const blocked = blockedCells(taken, frame, cell, resolution);
  for (const spot of roomiestSpots(view.labels, resolution, blocked)) {
    const room = spot.clearance * cell.width;
    const text = fitName(context, classes[spot.label], room, theme.font);
    if (!text) continue;
    const at = toScreen(frame, placeOf(view.data, spot));
    paintName(context, text, at, view.layer ? [0, 0, 0] : fillOf(colours, spot.label).colour);
  }
}

function blockedCells(boxes, frame, cell, resolution) {
  const blocked = new Uint8Array(resolution * resolution);
  const clamp = (index) => Math.min(resolution - 1, Math.max(0, Math.round(index)));
  for (const box of boxes) {
    const columns = [clamp((box.x - frame.left) / cell.width), clamp((box.x + box.width - frame.left) / cell.width)];
    const bottom = frame.top + frame.height;
    const rows = [clamp((bottom - box.y - box.height) / cell.height), clamp((bottom - box.y) / cell.height)];
    for (let row = rows[0]; row <= rows[1]; row++) {
      blocked.fill(1, row * resolution + columns[0], row * resolution + columns[1] + 1);
    }
  }
  return blocked;
}

/** For each connected region a spot to write its name: far from its border, and of such spots the most central one.
    Roomiest first. */
export function roomiestSpots(labels, resolution, blocked) {
  const region = connectedRegions(labels, resolution);
  const clearance = clearances(region, resolution, blocked);
  const regions = measureRegions(region, resolution, clearance);
  for (let i = 0; i < labels.length; i++) {
    const known = regions.get(region[i]);
    if (clearance[i] < 0.92 * known.clearance) continue;
    const off = Math.hypot((i % resolution) - known.column, Math.floor(i / resolution) - known.row);
    if (off < known.off) Object.assign(known, { off, at: i });
  }
  return [...regions.values()]
    .sort((a, b) => b.clearance - a.clearance)
    .slice(0, 24)
    .map(({ at }) => ({
      clearance: clearance[at],
      label: labels[at],
      column: at % resolution,
      row: Math.floor(at / resolution),
    }));
}

/** The largest clearance and the centroid of each region. */
function measureRegions(region, resolution, clearance) {
  const regions = new Map();
  for (let i = 0; i < region.length; i++) {
    let known = regions.get(region[i]);
    if (!known) regions.set(region[i], (known = { clearance: 0, size: 0, column: 0, row: 0, off: Infinity, at: i }));
    known.clearance = Math.max(known.clearance, clearance[i]);
    known.size += 1;
    known.column += ((i % resolution) - known.column) / known.size;
    known.row += (Math.floor(i / resolution) - known.row) / known.size;
  }
  return regions;
}

/** A number per grid point, shared by those that are connected through neighbours of the same label. */
function connectedRegions(labels, resolution) {
  const region = new Int32Array(labels.length).fill(-1);
  const open = [];
  for (let seed = 0; seed < labels.length; seed++) {
    if (region[seed] >= 0) continue;
    region[seed] = seed;
    open.push(seed);
    while (open.length) {
      const i = open.pop();
      const column = i % resolution;
      const near = [column > 0 ? i - 1 : -1, column < resolution - 1 ? i + 1 : -1, i - resolution, i + resolution];
      for (const j of near) {
        if (j < 0 || j >= labels.length || region[j] >= 0 || labels[j] !== labels[i]) continue;
        region[j] = seed;
        open.push(j);
      }
    }
  }
  return region;
}

/** Distance of each grid point to its region's border, in cells, by a two-pass distance transform. A step up or down
    counts twice: names are wider than high. */
function clearances(region, resolution, blocked) {
  const far = new Float32Array(region.length).fill(Infinity);
  const across = [-1, 0, -1, 1];
  const down = [0, -1, -1, -1];
  const costs = [1, 2, Math.sqrt(5), Math.sqrt(5)];
  for (let i = 0; i < far.length; i++) far[i] = nearestBorder(i, 1);
  for (let i = far.length - 1; i >= 0; i--) far[i] = nearestBorder(i, -1);
  return far;

  function nearestBorder(i, way) {
    if (blocked[i]) return 0;
    const column = i % resolution;
    let least = far[i];
    for (let k = 0; k < 4; k++) {
      const beside = column + way * across[k];
      const j = i + way * (down[k] * resolution + across[k]);
      let there = -costs[k]; // the map ends at its outermost grid points
      if (beside >= 0 && beside < resolution && j >= 0 && j < far.length) {
        there = region[j] === region[i] ? far[j] : -0.5 * costs[k];
      }
      if (there + costs[k] < least) least = there + costs[k];
    }
    return least;
  }
}

/** The largest setting of a name that fits into `room` pixels on either side; null if none does. */
function fitName(context, name, room, font) {
  for (const size of [15, 13, 11]) {
    for (const lines of [[name], inTwoLines(name)]) {
      context.font = `600 ${size}px ${font}`;
      const width = Math.max(...lines.map((text) => context.measureText(text).width));
      const height = lines.length * size * 1.15;
      if (room >= Math.max(width / 2, height) + 2) return { lines, size, font: context.font };
    }
  }
  return null;
}

/** A name broken at the space nearest to its middle, if it has one. */
function inTwoLines(name) {
  const fromMiddle = (index) => Math.abs(index - name.length / 2);
  const spaces = [...name.matchAll(/ /g)].map(({ index }) => index).sort((a, b) => fromMiddle(a) - fromMiddle(b));
  return spaces.length ? [name.slice(0, spaces[0]), name.slice(spaces[0] + 1)] : [name];
}

function paintName(context, { lines, size, font }, { x, y }, ground) {
  const dark = luminance(ground) > 0.22;
  context.font = font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = `rgba(${mix(ground, dark ? [255, 255, 255] : [0, 0, 0], 0.45)}, 0.75)`;
  context.fillStyle = dark ? "#141414" : "#ffffff";
  lines.forEach((text, i) => {
    const at = y + (i - (lines.length - 1) / 2) * size * 1.15;
    context.strokeText(text, x, at);
    context.fillText(text, x, at);
  });
}

// --- what moves -----------------------------------------------------------------------------------------------------

function drawFrame(view) {
  view.frame = 0;
  const context = view.canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, view.canvas.width, view.canvas.height);
  context.drawImage(view.base, 0, 0);
  context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  const frame = frameOf(view);
  if (view.selected) drawSelected(context, toScreen(frame, view.selected));
  if (view.cursor) drawCursor(context, frame, toScreen(frame, view.cursor));
}

function drawSelected(context, { x, y }) {
  for (const [radius, width, style] of [[11.5, 5, "#ffffff"], [11.5, 2.5, "#1a1a1a"]]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke();
  }
  context.beginPath();
  context.arc(x, y, 2.5, 0, 2 * Math.PI);
  context.fillStyle = "#1a1a1a";
  context.fill();
}

function drawCursor(context, frame, { x, y }) {
  const hair = new Path2D();
  const gap = 7;
  for (const [x0, y0, x1, y1] of [
    [frame.left, y, x - gap, y],
    [x + gap, y, frame.left + frame.width, y],
    [x, frame.top, x, y - gap],
    [x, y + gap, x, frame.top + frame.height],
  ]) {
    hair.moveTo(x0, y0);
    hair.lineTo(x1, y1);
  }
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top, frame.width, frame.height);
  context.clip();
  for (const [width, style] of [[2.5, "rgba(255, 255, 255, 0.35)"], [1, "rgba(20, 20, 20, 0.55)"]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke(hair);
  }
  context.restore();
  const eye = new Path2D();
  eye.arc(x, y, 5, 0, 2 * Math.PI);
  strokeTwice(context, eye, "#1a1a1a", 1.5);
}
