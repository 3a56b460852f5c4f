/* A list box of pictures. The focus stays on the grid; arrow keys move which picture is active. */

const PIN = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 4h6l-1 6 3 3H7l3-3zM12 13v7" /></svg>';

const views = new WeakMap();

export default function sampleGrid({ parentElement, data, setTriggerValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = { grid: parentElement.querySelector(".grid"), active: 0, text: "", listening: new AbortController() };
    const { signal } = view.listening;
    view.grid.addEventListener("keydown", (event) => onKey(view, event), { signal });
    view.grid.addEventListener("click", (event) => onClick(view, event), { signal });
    views.set(parentElement, view);
  }
  view.choose = (place, pin) => setTriggerValue("choice", { place, pin });
  receive(view, data);
  return () => {
    if (parentElement.isConnected) return;
    view.listening.abort();
    views.delete(parentElement);
  };
}

function receive(view, data) {
  const text = JSON.stringify([data.tiles, data.size]);
  if (text !== view.text) {
    view.text = text;
    view.tiles = data.tiles;
    view.grid.replaceChildren(...data.tiles.map((tile, number) => elementOf(tile, number, data.size)));
    if (!data.tiles.length) view.grid.innerHTML = '<div class="none">No test image is like that.</div>';
    const chosen = data.tiles.findIndex((tile) => tile.place === data.selected);
    view.active = Math.max(chosen, 0);
  }
  view.tiles.forEach((tile, number) => {
    const element = view.grid.children[number];
    element.setAttribute("aria-selected", String(tile.place === data.selected));
    element.classList.toggle("pinned", tile.place === data.pinned);
    element.setAttribute("aria-label", tile.title + (tile.place === data.pinned ? ", pinned" : ""));
  });
  activate(view, view.active);
}

function elementOf(tile, number, [height, width]) {
  const element = document.createElement("div");
  element.className = "tile";
  element.id = `tile-${number}`;
  element.setAttribute("role", "option");
  element.title = tile.title;
  element.dataset.place = tile.place;
  element.style.setProperty("--frame", tile.colour);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(pixelsOf(tile.pixels, height, width), 0, 0);
  const note = document.createElement("div");
  note.className = "note";
  note.textContent = tile.note;
  const pin = document.createElement("span"); // no button: one may not stand inside an option, and P does the same
  pin.className = "pin";
  pin.title = "Pin beside";
  pin.setAttribute("aria-hidden", "true");
  pin.innerHTML = PIN;
  element.append(canvas, note, pin);
  return element;
}

function pixelsOf(text, height, width) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = bytes[3 * i + c];
    pixels.data[4 * i + 3] = 255;
  }
  return pixels;
}

function activate(view, number) {
  if (!view.tiles.length) {
    view.grid.removeAttribute("aria-activedescendant");
    return;
  }
  view.active = Math.min(Math.max(number, 0), view.tiles.length - 1);
  [...view.grid.children].forEach((element, place) => element.classList.toggle("active", place === view.active));
  view.grid.setAttribute("aria-activedescendant", `tile-${view.active}`);
}

function onClick(view, event) {
  const element = event.target.closest(".tile");
  if (!element) return;
  activate(view, [...view.grid.children].indexOf(element));
  view.choose(Number(element.dataset.place), Boolean(event.target.closest(".pin")));
}

function onKey(view, event) {
  if (event.key !== "Tab") event.stopPropagation(); // Streamlit owns some letters
  if (event.ctrlKey || event.metaKey || event.altKey || !view.tiles.length) return;
  const columns = getComputedStyle(view.grid).gridTemplateColumns.split(" ").length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const tile = view.tiles[view.active];
  if (event.key in steps) {
    const to = view.active + steps[event.key];
    if (to >= 0 && to < view.tiles.length) activate(view, to);
    view.grid.children[view.active].scrollIntoView({ block: "nearest" });
  } else if (event.key === "Home") activate(view, 0);
  else if (event.key === "End") activate(view, view.tiles.length - 1);
  else if (event.key === "Enter" || event.key === " ") view.choose(tile.place, false);
  else if (event.key.toLowerCase() === "p") view.choose(tile.place, true);
  else return;
  event.preventDefault();
}
