// The dashboard: what the pool's JSON says, shown by keyed rows, so that focus and scroll stay.
import "./globals.js";
import Alpine from "../../vendor/alpinejs-csp/alpine.esm.min.js";
import { Poller } from "../poller.js";
import { banners } from "./banners.js";
import { bulk } from "./bulk.js";
import { Charts } from "./charts.js";
import { controls } from "./controls.js";
import { dialog } from "./dialog.js";
import { health } from "./health.js";
import { drawLanes, leftOut } from "./lanes.js";
import { menu } from "./menu.js";
import { picking } from "./picking.js";
import { promises } from "./promises.js";
import { queueFilter } from "./queue_filter.js";
import { submit } from "./submit.js";
import { toasts } from "./toasts.js";
import { view } from "./view.js";

const QUEUE_PAGE = 10;
const OFF_UNTIL_ASKED = 0;
const INTERVALS = [2, 5, 15, 60, OFF_UNTIL_ASKED];

// Not part of the page's reactive state: they hold timers and canvases.
let drawn, poolPoller, chartPoller, datasetPoller;

const options = JSON.parse(document.getElementById("pool-options").textContent);

const updates = {
  options,
  intervals: INTERVALS,
  interval: savedInterval(),
  offset: 0,
  pool: null,
  charts: null,
  datasets: null,
  range: localStorage.getItem("chart-range") ?? "6h",
  failures: 0,
  lost: "",
  takenAt: null,
  seenAt: null,
  now: Date.now(),
  announcement: "",

  init() {
    drawn = new Charts(this.$refs);
    poolPoller = new Poller({
      url: () => `/api/dashboard?queue_limit=${QUEUE_PAGE}&queue_offset=${this.offset}${this.queueQuery()}`,
      seconds: this.interval,
      onData: (data) => this.show(data),
      onLook: (look) => this.looked(look),
    });
    chartPoller = new Poller({ url: () => `/api/dashboard/charts?range=${this.range}`, seconds: this.interval && 20, onData: (data) => this.showCharts(data) });
    datasetPoller = new Poller({ url: () => "/api/datasets", seconds: this.interval && 45, onData: (data) => (this.datasets = data) });
    for (const poller of [poolPoller, chartPoller, datasetPoller]) poller.start();
    setInterval(() => !document.hidden && (this.now = Date.now()), 1000);
    new ResizeObserver(() => this.redrawLanes()).observe(this.$refs.lanes);
    document.addEventListener("scheme-changed", () => this.redraw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  },

  show(data) {
    const before = this.pool?.state;
    this.pool = data;
    if (before !== data.state) this.announcement = `The pool is ${data.state}. ${this.local(data.state_reason)}`;
    this.dropGone();
    this.$nextTick(() => this.keepFocus());
    // What would become of a submission has changed with the pool.
    if (this.$refs.submit?.open) this.askForecast();
    // The last page may have gone.
    if (this.offset && this.offset >= data.queued_count) this.toPage(Math.max(0, this.offset - QUEUE_PAGE));
  },

  looked(look) {
    this.failures = look.failures;
    if (look.ok) {
      this.takenAt = look.takenAt ?? this.takenAt;
      this.seenAt = Date.now();
      this.lost = "";
    } else {
      // A first failure may be a hiccup; the second is told.
      this.lost = look.failures > 1 ? lossText(look.problem) : "";
    }
    this.showInTab();
  },

  /** The state in the tab's title and picture; a state that is not known is not told. */
  showInTab() {
    const isKnown = this.pool && !this.lost;
    document.title = isKnown ? `${this.stateWord()} ${this.runningText(this.pool)} – Worker pool` : "No news – Worker pool";
    document.getElementById("favicon").href = (isKnown && options.favicons[this.pool.state]) || options.favicons.unknown;
  },

  showCharts(data) {
    this.charts = data;
    this.redraw();
  },

  redraw() {
    if (!this.charts) return;
    drawn.draw(Alpine.raw(this.charts));
    this.redrawLanes();
  },

  redrawLanes() {
    if (this.charts) drawLanes(this.$refs.lanes, Alpine.raw(this.charts));
  },

  lanesLeftOut() {
    return this.charts ? leftOut(this.charts) : 0;
  },

  lanesLeftOutText() {
    const count = this.lanesLeftOut();
    const atLeast = this.charts?.is_complete === false ? "At least " : "";
    return `${atLeast}${count} more run${count === 1 ? " is" : "s are"} not shown; `;
  },

  historySince() {
    return this.charts ? `/history/?since=${this.charts.from.slice(0, 10)}` : "/history/";
  },

  eventsLeftOutText() {
    const count = this.charts?.events_left_out ?? 0;
    return `${count} earlier change${count === 1 ? " is" : "s are"} not marked; `;
  },

  lookNow() {
    poolPoller.now();
    chartPoller.now();
  },

  refreshAll() {
    this.lookNow();
    datasetPoller.now();
  },

  chooseInterval() {
    const seconds = Number(this.interval);
    localStorage.setItem("refresh-seconds", String(seconds));
    poolPoller.every(seconds);
    chartPoller.every(seconds && Math.max(20, seconds));
    datasetPoller.every(seconds && Math.max(45, seconds));
  },

  setRange(range) {
    this.range = range;
    localStorage.setItem("chart-range", range);
    chartPoller.now();
  },

  toPage(offset) {
    this.offset = offset;
    poolPoller.now();
  },

  isFirstPage() {
    return this.offset === 0;
  },

  isLastPage() {
    return this.offset + QUEUE_PAGE >= this.pool.queue_page.total;
  },

  earlierPage() {
    this.toPage(Math.max(0, this.offset - QUEUE_PAGE));
  },

  laterPage() {
    this.toPage(this.offset + QUEUE_PAGE);
  },
};

/** What keeps the news away; an answer that says no tells why. */
function lossText(problem) {
  return problem.status ? `No news. ${problem.message}` : "Connection lost. The server does not answer.";
}

function savedInterval() {
  const saved = Number(localStorage.getItem("refresh-seconds") ?? INTERVALS[0]);
  return INTERVALS.includes(saved) ? saved : INTERVALS[0];
}

Alpine.data("dashboard", () => ({ ...updates, ...view, ...menu, ...banners, ...queueFilter, ...controls, ...health, ...promises, ...toasts, ...dialog, ...submit, ...bulk, ...picking }));
Alpine.start();
