// Three charts over one axis of time: throughput, wait, run time.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { SPANS, WHOLE, shownFrom, showLegend } from "../axes.js";
import { colour } from "../colours.js";
import { shortSpan, shortTime, spanText } from "../times.js";

const HEIGHT = 100;

const CHARTS = {
  throughput: { series: [["completed", "--good"], ["failed", "--bad"], ["cancelled", "--mute"]], bars: true },
  wait: { series: [["wait_seconds", "--warn"]], label: "mean wait", seconds: true },
  run: { series: [["run_seconds", "--busy"]], label: "mean run time", seconds: true },
};

export class Charts {
  constructor(refs) {
    this.refs = refs;
    this.plots = {};
    new ResizeObserver(() => this.resize()).observe(refs.throughput);
  }

  draw(data) {
    for (const [name, chart] of Object.entries(CHARTS)) this.drawOne(name, chart, data);
  }

  drawOne(name, chart, data) {
    const holder = this.refs[name];
    this.plots[name]?.destroy();
    const columns = [data.series.at, ...chart.series.map(([key]) => data.series[key])];
    this.plots[name] = new uPlot(plotOptions(chart, data, holder.clientWidth), columns, holder);
    holder.setAttribute("aria-label", summary(name, chart, data));
  }

  resize() {
    for (const [name, plot] of Object.entries(this.plots)) {
      plot.setSize({ width: this.refs[name].clientWidth, height: HEIGHT });
    }
  }
}

function plotOptions(chart, data, width) {
  const axis = { stroke: colour("--mute"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui" };
  const value = chart.seconds ? (_, v) => (v === null ? "–" : spanText(v)) : (_, v) => v ?? "–";
  const values = chart.seconds ? (_, ticks) => ticks.map(shortSpan) : undefined;
  return {
    width,
    height: HEIGHT,
    legend: { show: Boolean(chart.bars) },
    hooks: { setLegend: [showLegend] },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: [shownFrom(data), epoch(data.to)] }, y: { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 1.08] } },
    axes: [{ ...axis, values: (_, ticks) => ticks.map(shortTime), space: 60, size: 30 }, { ...axis, size: 40, space: 18, values, incrs: chart.seconds ? SPANS : WHOLE }],
    series: [{ value: (_, at) => (at === null ? "–" : shortTime(at)) }, ...chart.series.map(([key, name]) => series(chart, key, colour(name), value))],
  };
}

function series(chart, key, stroke, value) {
  const bars = chart.bars ? { paths: uPlot.paths.bars({ size: [0.7, 18] }), points: { show: false } } : { spanGaps: true, points: { show: true, size: 5, fill: stroke } };
  return { label: chart.label ?? key, stroke, width: 2, fill: chart.bars ? stroke : undefined, value, ...bars };
}

function summary(name, chart, data) {
  if (!chart.seconds) {
    const totals = chart.series.map(([key]) => `${sum(data.series[key])} ${key}`);
    return `Throughput of the last ${data.range}: ${totals.join(", ")}.`;
  }
  const known = data.series[chart.series[0][0]].filter((v) => v !== null);
  const mean = known.length ? spanText(sum(known) / known.length) : "nothing known";
  return `${chart.label} of the last ${data.range}: ${mean}.`;
}

const epoch = (iso) => new Date(iso).getTime() / 1000;
const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);
