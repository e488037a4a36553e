// What ran when: a lane per route, runs as bars, and what operators and the monitor did as marks.
import { shownFrom } from "../axes.js";
import { clockText, shortTime, spanText } from "../times.js";

const SVG = "http://www.w3.org/2000/svg";
const LETTER = 7.3;
const TOP = 26;
const MOST_LANES = 8;
const BAR = 14;
// Beside each lane its name; where there is no room for that, above it.
const WIDE = { left: 190, lane: 20, barAt: 3, tickCount: 6 };
const NARROW = { left: 4, lane: 34, barAt: 17, tickCount: 3 };
const NARROW_BELOW = 560;

/** How many runs of the range are not drawn. */
export function leftOut(data) {
  const below = byInterest(data.lanes).slice(MOST_LANES).reduce((count, lane) => count + lane.runs.length, 0);
  return data.lanes_left_out + below;
}

/** Draws into `holder`; nothing of the data becomes markup. */
export function drawLanes(holder, data) {
  const from = shownFrom(data);
  const to = new Date(data.to).getTime() / 1000;
  const width = Math.max(240, holder.clientWidth);
  const { left, lane: height, barAt, tickCount } = width < NARROW_BELOW ? NARROW : WIDE;
  const scale = (at) => left + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (width - left - 10);
  const lanes = byInterest(data.lanes).slice(0, MOST_LANES);
  const bottom = TOP + Math.max(1, lanes.length) * height;
  const svg = make("svg", { width, height: bottom + 8, "aria-hidden": "true", focusable: "false" });
  const letters = Math.floor((width < NARROW_BELOW ? width : left) / LETTER);
  svg.append(...ticks(from, to, scale, { bottom, tickCount }), ...lanes.flatMap((lane, index) => laneOf(lane, scale, { to, letters, y: TOP + index * height, barAt })));
  svg.append(...data.events.filter((event) => inRange(event, from, to)).flatMap((event) => markOf(event, scale, bottom)));
  holder.replaceChildren(svg);
}

/** Those with failed runs first, then those that ran last. */
function byInterest(lanes) {
  const failed = (lane) => lane.runs.filter(([, status]) => status === "failed").length;
  const last = (lane) => Math.max(...lane.runs.map(([, , start]) => start));
  return [...lanes].sort((a, b) => failed(b) - failed(a) || last(b) - last(a));
}

function ticks(from, to, scale, { bottom, tickCount }) {
  return Array.from({ length: tickCount + 1 }, (_, index) => from + ((to - from) * index) / tickCount).flatMap((at, index) => {
    const x = scale(at);
    const anchor = index === tickCount ? "end" : index || x > 20 ? "middle" : "start";
    return [
      make("line", { x1: x, x2: x, y1: TOP - 6, y2: bottom, class: "grid-line" }),
      make("text", { x, y: 12, "text-anchor": anchor }, shortTime(at)),
    ];
  });
}

function laneOf(lane, scale, { to, letters, y, barAt }) {
  const name = lane.route.length > letters ? `${lane.route.slice(0, letters - 1)}…` : lane.route;
  return [make("text", { x: 0, y: y + 13 }, name), ...lane.runs.map((run) => runOf(lane, run, y + barAt, scale, to))];
}

function runOf(lane, [id, status, start, end], y, scale, to) {
  const x = scale(start);
  const width = Math.max(3, scale(end ?? to) - x);
  const link = make("a", { href: `/history/${id}/`, tabindex: "-1" });
  const bar = make("rect", { x, y, width, height: BAR, class: `run run-${status}` });
  const span = end ? spanText(end - start) : "still running";
  bar.append(make("title", {}, `${lane.route}: ${status}, ${clockText(new Date(start * 1000).toISOString())}, ${span}`));
  link.append(bar);
  return link;
}

function markOf(event, scale, bottom) {
  const x = scale(new Date(event.at).getTime() / 1000);
  const dot = make("circle", { cx: x, cy: TOP - 4, r: 4, class: "event-dot" });
  dot.append(make("title", {}, `${clockText(event.at)} ${event.actor}: ${event.text || event.action}`));
  return [make("line", { x1: x, x2: x, y1: TOP - 4, y2: bottom, class: "event" }), dot];
}

function inRange(event, from, to) {
  const at = new Date(event.at).getTime() / 1000;
  return at >= from && at <= to;
}

function make(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
