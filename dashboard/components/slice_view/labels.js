// @ts-check
// The points of interest: their marks, the rings of the noise around them, and labels that hide none of them.

import { distance } from "../shared/geometry.js";
import { strokeTwice, toScreen } from "./axes.js";

/** @typedef {import("./axes.js").Frame} Frame */
/** @typedef {import("./axes.js").Theme} Theme */
/** @typedef {import("./plane.js").Extent} Extent */
/** @typedef {import("./plane.js").Mark} Mark */
/** @typedef {import("./plane.js").Plane} Plane */
/** @typedef {import("./plane.js").Point} Point */
/** @typedef {import("./plane.js").Spot} Spot */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {Box & {cost: number}} Candidate */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {{shape: "circle" | "diamond" | "square", colour: string, tag?: string}} Look */

/** @type {Record<Mark, Look>} */
const MARKS = {
  clean: { shape: "circle", colour: "#0072b2" },
  triggered: { shape: "diamond", colour: "#d55e00", tag: "#b34e00" }, // white letters need the darker tag
  other: { shape: "square", colour: "#4a4a4a" },
};
const HIDDEN_PX = 9; // rings smaller than this vanish under the marks
// Where a label may stand next to its mark, and what that costs: the arrow leaves to the sides.
/** @type {[across: number, down: number, cost: number][]} */
const AROUND = [[0, -1, 0], [0, 1, 1], [1, -1, 3], [-1, -1, 3], [-1, 0, 4], [1, 0, 4], [1, 1, 5], [-1, 1, 5]];

/**
 * Half-axes of a ring of radius sigma on screen; null without one.
 * @param {number | null} sigma
 * @param {Frame} frame
 * @returns {[number, number] | null}
 */
function ringOf(sigma, { width, height, extent: [x0, x1, y0, y1] }) {
  return sigma === null ? null : [(sigma / (x1 - x0)) * width, (sigma / (y1 - y0)) * height];
}

/**
 * Paint the rings; returns whether the marks hide them.
 * @param {Plane} plane
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 */
export function paintRings({ slice, points }, context, frame) {
  const radii = ringOf(slice.sigma, frame);
  if (!radii) return false;
  for (const point of points.filter(({ mark }) => mark !== "other")) {
    const centre = toScreen(frame, point);
    const ring = new Path2D();
    ring.ellipse(centre.x, centre.y, ...radii, 0, 0, 2 * Math.PI);
    strokeTwice(context, ring, {
      colour: MARKS[point.mark].colour,
      width: 1.75,
      dash: point.mark === "triggered" ? [5, 3] : [],
    });
  }
  return Math.max(...radii) < HIDDEN_PX;
}

/**
 * Paint marks and labels; returns the boxes they cover.
 * @param {Plane} plane
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Theme} theme
 * @returns {Box[]}
 */
export function paintPoints({ slice, points }, context, frame, theme) {
  const spots = points.map((point) => ({ ...point, at: toScreen(frame, point) }));
  const clean = spots.find(({ mark }) => mark === "clean");
  const triggered = spots.find(({ mark }) => mark === "triggered");
  if (clean && triggered) paintArrow(context, clean.at, triggered.at);
  for (const spot of [...spots].reverse()) paintMark(context, spot.at, MARKS[spot.mark]);
  context.font = `600 12px ${theme.font}`;
  const widths = spots.map(({ name }) => Math.min(frame.width - 6, context.measureText(name).width + 12));
  const sizes = widths.map((width) => ({ width, height: 19 }));
  const ring = Math.max(...(ringOf(slice.sigma, frame) ?? [0]));
  const clear = spots.map(({ mark }) => (mark !== "other" && ring < 40 ? Math.max(13, ring + 5) : 13));
  const boxes = placeLabels(spots.map(({ at }) => at), sizes, clear, frame);
  spots.forEach((spot, i) => paintTag(context, spot, boxes[i], clear[i]));
  const arrow = clean && triggered ? alongLine(clean.at, triggered.at) : [];
  return [...spots.map(({ at }) => around(at, 12)), ...arrow, ...boxes];
}

/**
 * @param {Spot} spot
 * @param {number} reach
 * @returns {Box}
 */
function around({ x, y }, reach) {
  return { x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach };
}

/**
 * Small boxes that cover a line.
 * @param {Spot} from
 * @param {Spot} to
 */
function alongLine(from, to) {
  const pieces = Math.ceil(distance(from, to) / 10);
  return Array.from({ length: pieces }, (_, i) => {
    const share = (i + 0.5) / pieces;
    return around({ x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }, 6);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Spot} from
 * @param {Spot} to
 */
function paintArrow(context, from, to) {
  const length = distance(from, to);
  if (length < 30) return;
  const unit = { x: (to.x - from.x) / length, y: (to.y - from.y) / length };
  /** @type {(reach: number, aside?: number) => [number, number]} */
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
  strokeTwice(context, arrow, { colour: "#1a1a1a", width: 1.75 });
  context.lineCap = "butt";
}

/**
 * @param {Spot} spot
 * @param {Look["shape"]} shape
 */
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

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Spot} at
 * @param {Look} look
 */
function paintMark(context, at, { shape, colour }) {
  const path = markPath(at, shape);
  context.lineJoin = "miter";
  for (const { width, style } of [{ width: 5.5, style: "#1a1a1a" }, { width: 3.75, style: "#ffffff" }]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke(path);
  }
  context.fillStyle = colour;
  context.fill(path);
}

/**
 * A box for each label: next to its mark (`clear` pixels away), inside the frame, off all marks and other labels.
 * @param {Spot[]} spots
 * @param {Size[]} sizes
 * @param {number[]} clear
 * @param {Omit<Frame, "extent">} frame
 * @returns {Box[]}
 */
export function placeLabels(spots, sizes, clear, frame) {
  const marks = spots.map((spot) => around(spot, 11));
  /** @type {Box[]} */
  const placed = [];
  spots.forEach((spot, i) => {
    const boxes = candidates(spot, sizes[i], clear[i]).map((box) => {
      const moved = pushInside(box, frame);
      const strayed = Math.hypot(moved.x - box.x, moved.y - box.y);
      const onMarks = marks.reduce((sum, mark) => sum + overlap(moved, mark), 0);
      const onLabels = placed.reduce((sum, other) => sum + overlap(moved, other), 0);
      const cost = box.cost + strayed + 10 * onMarks + 100 * onLabels;
      return { ...moved, cost };
    });
    placed.push(boxes.reduce((best, box) => (box.cost < best.cost ? box : best)));
  });
  return placed;
}

/**
 * Places around a mark: near ones first.
 * @param {Spot} mark
 * @param {Size} label
 * @param {number} clear
 * @returns {Candidate[]}
 */
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

/**
 * @param {Box} box
 * @param {Omit<Frame, "extent">} frame
 * @returns {Box}
 */
function pushInside({ x, y, width, height }, frame) {
  return {
    x: Math.min(frame.left + frame.width - width - 3, Math.max(frame.left + 3, x)),
    y: Math.min(frame.top + frame.height - height - 3, Math.max(frame.top + 3, y)),
    width,
    height,
  };
}

/**
 * @param {Box} a
 * @param {Box} b
 */
function overlap(a, b) {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point & {at: Spot}} point
 * @param {Box} box
 * @param {number} clear
 */
function paintTag(context, { name, at, mark }, box, clear) {
  const centre = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const gap = Math.max(Math.abs(centre.x - at.x) - box.width / 2, Math.abs(centre.y - at.y) - box.height / 2);
  if (gap > clear + 7) {
    const leader = new Path2D();
    leader.moveTo(at.x, at.y);
    leader.lineTo(centre.x, centre.y);
    strokeTwice(context, leader, { colour: MARKS[mark].colour, width: 1 });
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
