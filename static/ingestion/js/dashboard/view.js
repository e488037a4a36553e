// How the pool's numbers are put into words. Everything is shown as text, never as markup.
import { clockText, fullText, localSentence, rangeText, secondsBetween, spanText } from "../times.js";

const WORDS = {
  available: "Available", busy: "Busy", overloaded: "Overloaded",
  paused: "Paused", degraded: "Degraded", unknown: "Unknown",
};
const number = new Intl.NumberFormat();

/** "Every slot is taken (2 of 2): five9.contacts since …" in its two parts, the second often empty. */
function waitParts(task) {
  const [, short, details] = (task.wait?.sentence ?? "").match(/^(.*?)(?:: (.*))?$/s);
  return [short, details ?? ""];
}

export const view = {
  clock: (iso) => clockText(iso),
  full: (iso) => fullText(iso),
  span: (seconds) => spanText(seconds),
  count: (value) => (value === null || value === undefined ? "" : number.format(value)),
  local: (sentence) => localSentence(sentence),
  word: (text) => (text ? text.charAt(0).toUpperCase() + text.slice(1) : ""),

  /** While no news comes, nobody knows. */
  stateWord() {
    return (!this.lost && WORDS[this.pool?.state]) || "Unknown";
  },

  stateClass() {
    return `is-${this.lost ? "unknown" : this.pool?.state ?? "unknown"}`;
  },

  /** Seconds since `iso`, by the server's clock as far as it is known. */
  since(iso) {
    return iso ? Math.max(0, (this.now - new Date(iso)) / 1000) : null;
  },

  ago(iso) {
    return iso ? `${spanText(this.since(iso))} ago` : "never";
  },

  lostText() {
    const age = this.seenAt ? `The data is ${spanText((this.now - this.seenAt) / 1000)} old.` : "There is no data yet.";
    return `${this.lost} ${age} Trying again by itself.`;
  },

  updatedText() {
    if (!this.seenAt) return "";
    return `updated ${spanText((this.now - this.seenAt) / 1000)} ago`;
  },

  intervalText: (seconds) => (seconds ? `every ${seconds} s` : "paused"),

  rowsText(task) {
    const rate = task.rows_per_second ? `, ${number.format(Math.round(task.rows_per_second))}/s` : "";
    return task.rows === null || task.rows === undefined ? "no rows yet" : `${number.format(task.rows)} rows${rate}`;
  },

  stepText(task) {
    const { model, step } = task.progress ?? {};
    if (task.cancel_requested_at) return "stopping: cancel was asked";
    const models = this.modelsOf(task);
    return [models && `${models.done} of ${models.total} models done`, model, step].filter(Boolean).join(", ") || (task.confirmed_at ? "running" : "sent to a worker");
  },

  /** Models done of models, where a sync loads several; null of others. */
  modelsOf(task) {
    const { models_done: done, models_total: total } = task.progress ?? {};
    return total > 1 ? { done, total } : null;
  },

  /** A time that has passed says nothing any more: the sync takes longer than the last ones did. */
  endText(task) {
    if (task.expected_end && secondsBetween(new Date(this.now), task.expected_end.latest) <= 1) return "longer than usual";
    return task.expected_end ? rangeText(task.expected_end, this.now) : "not known yet";
  },

  /** How far a running task is, 0 to 100: by the models that are done, else by its expected end; null when nothing is known. */
  donePercent(task) {
    const models = this.modelsOf(task);
    if (models) return Math.round((100 * models.done) / models.total);
    if (!task.expected_end) return null;
    const whole = secondsBetween(task.started_at, task.expected_end.latest);
    return whole > 0 ? Math.min(99, Math.round((100 * this.since(task.started_at)) / whole)) : null;
  },

  startText(task) {
    return task.wait?.start ? rangeText(task.wait.start, this.now) : "not known yet";
  },

  /** The reason up to its details; behind them stand who holds the slots, and since when. */
  waitText(task) {
    return localSentence(waitParts(task)[0]);
  },

  waitDetails(task) {
    return localSentence(waitParts(task)[1]);
  },

  waitSentence: (task) => localSentence(task.wait?.sentence ?? ""),

  /** The row whose action is asked about. */
  rowClass(row) {
    return this.isAsking && this.target.id === row.id ? "is-acted-on" : "";
  },

  /** A sentence is shown once: where an earlier row has failed in the same way it is not repeated. */
  resultError(result) {
    const text = result.error_message;
    if (!text || this.lastResults().find((other) => other.error_message === text) !== result) return "";
    return localSentence(text);
  },

  directRoute: (run) => `${run.crm_source}.${run.sync_type}`,

  directText(run) {
    return run.execution === "direct" ? "directly, by a schedule" : "from a command line";
  },

  /** "2/4", and "2/4 +1" with one outside the pool. */
  runningText(data) {
    const outside = data.direct_count ? ` +${data.direct_count}` : "";
    return `${data.active_count}/${data.max_workers}${outside}`;
  },

  attemptText(task) {
    return `attempt ${task.attempt || 1} of ${Math.max(task.max_attempts, task.attempt)}`;
  },

  isRetried: (task) => task.max_attempts > 1 || task.attempt > 1,

  /** Whether the reason of the state tells what the numbers beside it do not. */
  saysMore() {
    return Boolean(this.pool.state_reason) && !["available", "busy", "overloaded"].includes(this.pool.state);
  },

  oldestText() {
    return this.pool.oldest_queued_at ? spanText(this.since(this.pool.oldest_queued_at)) : "–";
  },

  successText() {
    const rate = this.pool.last_24h?.success_rate;
    return rate === null || rate === undefined ? "–" : `${Math.round(rate)} %`;
  },

  failedCount() {
    return this.pool.last_24h?.failed ?? 0;
  },

  failedText() {
    return `${this.count(this.pool.last_24h?.failed ?? 0)} failed in 24 hours; to the failed runs`;
  },

  runHref: (id) => `${document.body.dataset.history ?? "/history/"}${id}/`,
  crmHref: (crm) => `/crms/${encodeURIComponent(crm)}/`,
  badge: (status) => `is-${status}`,
  isRetryable: (result) => result.status !== "success",

  lastResults() {
    return this.pool.results;
  },

  waitingCount() {
    return this.pool.queued_count + this.pool.delayed_count + (this.pool.held_count ?? 0);
  },

  waitingRest() {
    return [...(this.pool.held ?? []), ...(this.pool.delayed ?? [])];
  },

  usedPercent() {
    return Math.round(Math.min(100, this.pool.utilization));
  },

  pageText() {
    const { offset, limit } = this.pool.queue_page;
    const { total } = this.pool.queue_page;
    return `${this.count(offset + 1)} to ${this.count(Math.min(offset + limit, total))} of ${this.count(total)}`;
  },

  isStopping: (task) => Boolean(task.cancel_requested_at),
  isHeld: (task) => Boolean(task.held_at),

  asideText(task) {
    if (this.isHeld(task)) return "Held";
    return task.wait?.code === "after" ? "Waits for others" : "Delayed";
  },
};
