// The plots of a report: runs by the hour, and routes as bars. All figures stand in its tables too.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { SPANS, WHOLE, showLegend } from "./axes.js";
import { colour } from "./colours.js";
import { shortSpan, shortTime, spanText } from "./times.js";

const HEIGHT = 190;
const plots = JSON.parse(document.getElementById("report-plots").textContent);
const drawn = new Map();
const bars = { paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } };
const seconds = (iso) => new Date(iso).getTime() / 1000;

function axis() {
  const line = { stroke: colour("--line"), width: 1 };
  return { stroke: colour("--mute"), grid: line, ticks: line, font: "12px system-ui" };
}

function series(label, name, value) {
  return { label, stroke: colour(name), fill: colour(name), width: 0, value, ...bars };
}

function draw(id, makeOptions, data, label) {
  const holder = document.getElementById(id);
  if (!holder) return;
  drawn.get(holder)?.destroy();
  const y = { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 1.08] };
  const { x, ...options } = makeOptions();
  const base = { width: holder.clientWidth, height: HEIGHT, hooks: { setLegend: [showLegend] }, cursor: { drag: { x: false, y: false } }, scales: { x, y } };
  drawn.set(holder, new uPlot({ ...base, ...options }, data, holder));
  holder.setAttribute("aria-label", label);
}

function drawHours() {
  const { hours } = plots;
  const failed = hours.map((hour) => hour.failed);
  const ended = hours.map((hour) => hour.complete + hour.failed + (hour.cancelled ?? 0));
  const edges = [seconds(hours[0].at) - 1800, seconds(hours.at(-1).at) + 1800];
  const options = () => ({
    x: { range: edges },
    axes: [{ ...axis(), values: (_, ticks) => ticks.map(shortTime), space: 105 }, { ...axis(), size: 48, incrs: WHOLE }],
    // The failed ones stand in front of all that ended: the rest of a bar is what was complete
    // or cancelled.
    series: [{ value: (_, at) => (at === null ? "–" : shortTime(at)) }, series("ended", "--good"), series("failed", "--bad")],
  });
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  draw("plot-hours", options, [hours.map((hour) => seconds(hour.at)), ended, failed], `By the hour: ${total(ended)} runs ended, ${total(failed)} of them failed.`);
}

function drawRoutes(id, routes, key, name, { value, ticks, incrs }) {
  const words = routes.map((route) => `${route.route} ${value(route[key])}`).join(", ");
  const options = () => ({
    x: { time: false, range: [0.4, Math.max(routes.length, 3) + 0.6] },
    axes: [{ ...axis(), incrs: [1] }, { ...axis(), size: 48, values: ticks, incrs }],
    series: [{ label: "route", value: (_, at) => (at === null ? "–" : routes[at - 1]?.route ?? "–") }, series(key.replace("_", " "), name, (_, v) => (v === null ? "–" : value(v)))],
  });
  draw(id, options, [routes.map((_, index) => index + 1), routes.map((route) => route[key])], words);
}

function drawAll() {
  if (plots.hours.length) drawHours();
  drawRoutes("plot-slowest", plots.slowest, "mean_seconds", "--busy", { value: spanText, ticks: (_, found) => found.map(shortSpan), incrs: SPANS });
  drawRoutes("plot-failing", plots.most_failing, "failed", "--bad", { value: String, incrs: WHOLE });
}

drawAll();
new ResizeObserver(() => drawn.forEach((plot, holder) => plot.setSize({ width: holder.clientWidth, height: HEIGHT }))).observe(document.getElementById("plot-hours"));
document.addEventListener("scheme-changed", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
