// What all plots share: steps that people count in, and a legend that is silent until it has a value.
export const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];

/** Of seconds. */
export const SPANS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400, 172800];

/** A hook of uPlot: without a pointer over the plot there is no value to name. */
export function showLegend(plot) {
  plot.root.classList.toggle("is-idle", plot.cursor.idx == null);
}

const LEAST_SECONDS = 900;
const MARGIN = 0.04;

/** Where the axis of time begins: at the first run of the range, so that a new system fills it too. */
export function shownFrom(data) {
  const [from, to] = [new Date(data.from) / 1000, new Date(data.to) / 1000];
  const starts = data.lanes.flatMap((lane) => lane.runs.map(([, , start]) => start));
  const first = Math.min(to - LEAST_SECONDS, ...starts);
  return Math.max(from, first - MARGIN * (to - first));
}
