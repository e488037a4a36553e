// How a run that has not ended stands: looked up every few seconds, and the whole page once it ends.
import { Poller } from "./poller.js";
import { localSentence, rangeText, secondsBetween, spanText } from "./times.js";

const SECONDS = 5;
const holder = document.getElementById("now");
const updates = document.getElementById("now-updates");
const number = new Intl.NumberFormat();
let status = null;

const poller = new Poller({
  url: () => `/api/tasks/${encodeURIComponent(holder.dataset.task)}`,
  seconds: SECONDS,
  onData: show,
  onLook: (look) => write("problem", look.ok || look.failures < 2 ? "" : `Connection lost. ${look.problem.message}`),
});

function show({ task, wait }) {
  status ??= task.status;
  if (task.status !== status && !isTyping()) return location.reload();
  write("words", words(task, wait));
  write("place", wait?.position ? `${number.format(wait.position)} of the queue` : "");
  write("start", wait?.start ? rangeText(wait.start, Date.now()) : "");
  write("rows", task.status === "running" ? number.format(task.progress.total_rows ?? 0) : "");
  write("elapsed", task.started_at ? spanText(secondsBetween(task.started_at, new Date())) : "");
  write("worker", task.worker ?? "");
}

/** Whoever writes into a field, such as the filter of the log, would lose it with the page. */
function isTyping() {
  return document.activeElement?.matches("input:not([type=checkbox]), select, textarea") ?? false;
}

function words(task, wait) {
  if (task.status === "queued") return localSentence(wait?.reason.sentence ?? "It waits.");
  return task.status === "running" ? running(task) : "It has ended; its figures are being written down.";
}

function running(task) {
  if (task.cancel_requested_at) return "It was asked to stop.";
  const { model, step } = task.progress;
  const at = [model, step].filter(Boolean).join(", ");
  return at ? `It is at ${at}.` : task.confirmed_at ? "It runs." : "It was sent to a worker.";
}

/** A fact that is not known is not shown. */
function write(name, text) {
  const part = holder.querySelector(`[data-now="${name}"]`);
  part.textContent = text;
  (part.closest("div.fact") ?? part).hidden = !text;
}

updates.addEventListener("change", () => poller.every(updates.checked ? SECONDS : 0));
poller.start();
