// What all plots share: steps that people count in, and a legend that is silent until it has a value.
export const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];

/** Of seconds. */
export const SPANS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400, 172800];

/** A hook of uPlot: without a pointer over the plot there is no value to name. */
export function showLegend(plot) {
  plot.root.classList.toggle("is-idle", plot.cursor.idx == null);
}
