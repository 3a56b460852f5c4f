// What the eye sees: the drawing, the sample underneath, the grid, and where the brush would fall. The checkerboard is
// the canvas's own CSS background, so it follows the theme without a line here.

const SMALLEST_CELL_WITH_GRID = 6; // device pixels
const SMALLEST_CELL_WITH_CHECKS = 12; // CSS pixels; in smaller ones each cell is one check
const LARGEST_SIDE = 416; // CSS pixels
const LARGEST_SIDE_OF_FEW = 300; // for pictures of few pixels, which are seen well in less room
const FEW = 16;

// Cells are a whole number of device pixels, so that each is as sharp and as large as its neighbours.
function fitCanvas(editor) {
  const { canvas, stage, picture } = editor;
  if (!picture || stage.clientWidth === 0) return;
  const ratio = window.devicePixelRatio || 1;
  const longest = Math.max(picture.width, picture.height);
  const side = longest <= FEW ? LARGEST_SIDE_OF_FEW : LARGEST_SIDE;
  const room = Math.min(stage.clientWidth / picture.width, side / longest);
  editor.cell = Math.max(1, Math.floor(room * ratio));
  canvas.width = editor.cell * picture.width;
  canvas.height = editor.cell * picture.height;
  canvas.style.width = `${canvas.width / ratio}px`;
  stage.style.setProperty("--picture-width", canvas.style.width);
  canvas.style.height = `${canvas.height / ratio}px`;
  const cell = editor.cell / ratio;
  canvas.style.setProperty("--check", `${cell < SMALLEST_CELL_WITH_CHECKS ? 2 * cell : cell}px`);
  render(editor);
}

// At most one drawing a frame, however many events arrive.
function render(editor) {
  if (editor.frame) return;
  editor.frame = requestAnimationFrame(() => {
    editor.frame = 0;
    if (editor.picture) paint(editor);
  });
}

function paint(editor) {
  const { canvas, context, picture } = editor;
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (editor.sampleShown && editor.sample) context.drawImage(editor.sample, 0, 0, canvas.width, canvas.height);
  context.drawImage(asCanvas(picture), 0, 0, canvas.width, canvas.height);
  if (editor.cell >= SMALLEST_CELL_WITH_GRID) paintGrid(editor);
  if (editor.cursor) paintCursor(editor);
}

function asCanvas({ width, height, pixels }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

function paintGrid({ context, canvas, cell }) {
  context.fillStyle = "rgba(128, 128, 128, 0.28)";
  for (let x = cell; x < canvas.width; x += cell) context.fillRect(x, 0, 1, canvas.height);
  for (let y = cell; y < canvas.height; y += cell) context.fillRect(0, y, canvas.width, 1);
}

function paintCursor(editor) {
  const { context, cell } = editor;
  const size = TOOLS[editor.tool].brush ? editor.size : 1;
  const [x, y] = brushCorner(editor.cursor, size).map((coordinate) => coordinate * cell);
  const side = size * cell + 1;
  if (TOOLS[editor.tool].showsInk && !editor.gesture) {
    const [r, g, b, a] = inkOf(editor);
    context.fillStyle = `rgba(${r}, ${g}, ${b}, ${a / 255})`;
    context.fillRect(x, y, side, side);
  }
  // Dark around light is seen on every colour.
  context.lineWidth = 1;
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  context.strokeStyle = "rgba(255, 255, 255, 0.95)";
  context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
}

function showTools(editor) {
  editor.root.dataset.tool = editor.tool;
  for (const button of editor.root.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === editor.tool);
  }
  const rectangle = editor.root.querySelector("[data-tool=rectangle]");
  rectangle.classList.toggle("outlined", !editor.filled);
  rectangle.setAttribute("aria-label", editor.filled ? "Rectangle, filled" : "Rectangle, outlined");
  rectangle.dataset.tip = editor.filled ? "Rectangle · again for outline" : "Rectangle · again for filled";
}

function showInk(editor) {
  const { root, color, alpha } = editor;
  const hex = asHex(color);
  const opacity = asPercent(alpha);
  for (const swatch of root.querySelectorAll("[data-color]")) {
    swatch.setAttribute("aria-pressed", swatch.dataset.color === hex);
  }
  root.style.setProperty("--ink", hex);
  root.querySelector("[name=color]").value = hex;
  root.querySelector("[name=level]").value = color[0];
  root.querySelector("[name=opacity]").value = opacity;
  root.querySelector(".color-value").textContent = hex;
  root.querySelector(".level-value").textContent = color[0];
  root.querySelector(".opacity-value").textContent = `${opacity} %`;
}

function showSize(editor) {
  for (const button of editor.root.querySelectorAll("[data-size]")) {
    button.setAttribute("aria-pressed", Number(button.dataset.size) === editor.size);
  }
}

function showHistory(editor) {
  const { root, picture } = editor;
  // Not `disabled`: a button that loses the focus while it is being used takes the keyboard user elsewhere.
  root.querySelector("[data-action=undo]").setAttribute("aria-disabled", picture.past.length === 0);
  root.querySelector("[data-action=redo]").setAttribute("aria-disabled", picture.future.length === 0);
  const empty = drawnBox(picture) === null;
  for (const action of ["mirror", "clear"]) {
    root.querySelector(`[data-action=${action}]`).setAttribute("aria-disabled", empty);
  }
}

function showSample(editor) {
  const button = editor.root.querySelector("[data-action=sample]");
  button.hidden = !editor.sample;
  button.setAttribute("aria-pressed", editor.sampleShown);
  render(editor);
}

function showSampleNumber(editor, { samples, paste }) {
  const { root } = editor;
  root.querySelector(".samples").hidden = !samples;
  if (samples) root.querySelector(".sample-number").textContent = `sample ${samples[0] + 1} of ${samples[1]}`;
  editor.pastes = paste;
  root.querySelector("[data-action=paste]").hidden = !paste || !navigator.clipboard?.read;
}

function showStatus(editor) {
  const { picture, cursor, status } = editor;
  const cell = cursor?.map(Math.floor);
  status.textContent =
    cell && contains(picture, ...cell)
      ? `row ${cell[1]}, column ${cell[0]} · ${describePixel(editor, ...cell)}`
      : `${picture.width} × ${picture.height} pixels`;
}

function describePixel(editor, x, y) {
  const [r, g, b, a] = pixelAt(editor.picture, x, y);
  if (a === 0) return "empty";
  const swatch = editor.root.querySelector(`[data-color="${asHex([r, g, b])}"]`);
  const name = swatch ? swatch.dataset.tip.toLowerCase() : r === g && g === b ? `grey ${r}` : asHex([r, g, b]);
  return a === 255 ? name : `${name}, ${asPercent(a)} %`;
}

function asPercent(alpha) {
  return Math.max(1, Math.round((alpha * 100) / 255));
}

function asHex(color) {
  return `#${color.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

function fromHex(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

// The same sentence twice would be read once, so the region is emptied first.
function announce(editor, sentence) {
  editor.spoken.textContent = "";
  requestAnimationFrame(() => (editor.spoken.textContent = sentence));
}
