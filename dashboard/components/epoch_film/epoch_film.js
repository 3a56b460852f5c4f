// A film of label maps. Python sends all frames there are; which one is seen is decided here alone, so that scrubbing
// and playing are smooth however busy the server is.

const films = new WeakMap(); // by the element they live in
const FRAME_MS = 220;
const PAUSE_AT_END = 5; // frames

export default function ({ parentElement, data }) {
  if (!films.has(parentElement)) films.set(parentElement, createFilm(parentElement));
  const film = films.get(parentElement);
  receive(film, data);
  return () => {
    if (parentElement.isConnected) return;
    film.unmount.abort();
    stop(film);
    films.delete(parentElement);
  };
}

function createFilm(parent) {
  const root = parent.querySelector(".film");
  const film = {
    root,
    canvas: root.querySelector("canvas"),
    slider: root.querySelector("input"),
    button: root.querySelector(".play"),
    unmount: new AbortController(),
    text: null,
    labels: null,
    data: null,
    frame: 0,
    timer: 0,
    waiting: 0,
  };
  const { signal } = film.unmount;
  film.slider.addEventListener("input", () => (stop(film), show(film, Number(film.slider.value))), { signal });
  film.button.addEventListener("click", () => (film.timer ? stop(film) : play(film)), { signal });
  root.addEventListener("keydown", (event) => event.stopPropagation(), { signal }); // Streamlit owns C and R
  return film;
}

async function receive(film, data) {
  if (film.text === data.frames) return;
  film.text = data.frames;
  const labels = await inflate(data.frames);
  if (film.text !== data.frames) return; // a newer one has overtaken it
  const atEnd = !film.data || film.frame >= film.data.count - 1;
  const another = film.data && data.count < film.data.count;
  Object.assign(film, { data, labels });
  film.slider.max = data.count - 1;
  film.root.classList.toggle("single", data.count < 2);
  showLegend(film);
  showMarks(film);
  if (another) stop(film);
  show(film, (atEnd && !film.timer) || another ? data.count - 1 : Math.min(film.frame, data.count - 1));
}

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function show(film, frame) {
  const { data, canvas, labels, slider } = film;
  film.frame = frame;
  const side = data.resolution;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const colours = Object.fromEntries(Object.entries(data.colours).map(([label, hex]) => [label, fromHex(hex)]));
  const picture = new ImageData(side, side);
  const start = frame * side * side;
  const counts = {};
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const label = labels[start + row * side + column];
      counts[label] = (counts[label] ?? 0) + 1;
      picture.data.set(colours[label], 4 * ((side - 1 - row) * side + column)); // row 0 is the lowest
    }
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  slider.value = frame;
  const caption = data.captions[frame];
  film.root.querySelector(".caption").textContent = caption;
  slider.setAttribute("aria-valuetext", caption);
  const shares = Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 4)
    .map(([label, count]) => `${data.classes[label]} ${Math.round((100 * count) / (side * side))} %`);
  canvas.setAttribute("aria-label", `Slice of the decision function. ${caption}. ${shares.join(", ")}`);
}

function showLegend({ root, data }) {
  const entries = Object.entries(data.classes).map(([label, name]) => {
    const entry = document.createElement("span");
    const swatch = document.createElement("i");
    swatch.style.setProperty("--swatch", data.colours[label]);
    entry.append(swatch, name);
    return entry;
  });
  const signs = data.points.map(([name], index) => {
    const entry = document.createElement("span");
    entry.textContent = `${["○", "◇", "□"][index] ?? "·"} ${name}`;
    return entry;
  });
  root.querySelector(".legend").replaceChildren(...entries, ...signs);
}

// A circle, a diamond, a square: as on the slice of Explore.
function showMarks({ root, data }) {
  const marks = data.points.map(([name, x, y], index) => {
    const [left, top] = [100 * x, 100 * (1 - y)];
    const mark = document.createElementNS("http://www.w3.org/2000/svg", index === 0 ? "circle" : "rect");
    const size = { cx: left, cy: top, r: 2.6, x: left - 2.3, y: top - 2.3, width: 4.6, height: 4.6 };
    const names = index === 0 ? ["cx", "cy", "r"] : ["x", "y", "width", "height"];
    for (const attribute of names) mark.setAttribute(attribute, size[attribute]);
    if (index === 1) mark.setAttribute("transform", `rotate(45 ${left} ${top})`);
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = name;
    mark.append(title);
    return mark;
  });
  root.querySelector(".marks").replaceChildren(...marks);
}

function play(film) {
  if (film.frame >= film.data.count - 1) show(film, 0);
  film.waiting = 0;
  film.timer = setInterval(() => step(film), FRAME_MS);
  film.root.classList.add("playing");
  film.button.setAttribute("aria-label", "Pause");
}

function step(film) {
  if (film.frame < film.data.count - 1) return show(film, film.frame + 1);
  film.waiting += 1;
  if (film.waiting >= PAUSE_AT_END) stop(film);
}

function stop(film) {
  clearInterval(film.timer);
  film.timer = 0;
  film.root.classList.remove("playing");
  film.button.setAttribute("aria-label", "Play");
}

function fromHex(hex) {
  return [...[1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16)), 255];
}
