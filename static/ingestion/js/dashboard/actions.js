// What an operator can do from the dashboard. Each action says what will happen before it does.
// `fields` are the inputs it asks for; `request` gives method, path and body from target and form.
import { given } from "../api.js";

const task = (target, verb) => `/api/tasks/${encodeURIComponent(target.id)}/${verb}`;
const seen = (target, form, more = {}) =>
  given({ reason: form.reason, expected_revision: target.revision, ...more });
const whose = (target) => (target.crm_source ? `${target.crm_source}` : "the pool");
const until = (form) => (form.minutes ? new Date(Date.now() + 60000 * Number(form.minutes)).toISOString() : undefined);


function limitNow({ crm_source: crm, limit }) {
  if (!crm) return limit === 1 ? "One sync may run at once." : `${limit} syncs may run at once.`;
  return limit ? `${crm} may run ${limit} at once; an empty number takes its limit away.` : `${crm} has no limit of its own.`;
}

export const ACTIONS = {
  cancel: {
    title: (t) => `Cancel ${t.route}`,
    says: (t) =>
      t.status === "running"
        ? "The running sync is asked to stop after its current page, and is ended if it does not. Pages it has loaded stay in the warehouse."
        : "The sync leaves the queue and will not run.",
    word: "Cancel the sync", danger: true, fields: ["reason"],
    request: (t, form) => ["POST", task(t, "cancel"), seen(t, form)],
    done: (t) => (t.status === "running" ? `${t.route} is asked to stop.` : `${t.route} was cancelled.`),
  },
  priority: {
    title: (t) => `Priority of ${t.route}`,
    says: (t) => `Its priority is ${t.priority}. A higher number starts sooner; its place in the queue changes at once.`,
    word: "Set the priority", fields: ["priority", "reason"],
    request: (t, form) => ["POST", task(t, "prioritize"), seen(t, form, { priority: Number(form.priority) })],
    done: (t, form) => `${t.route} has priority ${form.priority} now.`,
  },
  front: {
    title: (t) => `Move ${t.route} to the front`,
    says: () => "It becomes the next sync to start as soon as a slot is free and its CRM may run.",
    word: "Move to the front", fields: ["reason"],
    request: (t, form) => ["POST", task(t, "front"), seen(t, form)],
    done: (t) => `${t.route} stands at the front.`,
  },
  hold: {
    title: (t) => `Hold ${t.route}`,
    says: () => "It will not start until it is released; then it goes back to its old place.",
    word: "Hold", fields: ["reason"],
    request: (t, form) => ["POST", task(t, "hold"), seen(t, form)],
    done: (t) => `${t.route} is held.`,
  },
  release: {
    title: (t) => `Release ${t.route}`,
    says: () => "It goes back to its old place in the queue and starts when its turn comes.",
    word: "Release", fields: ["reason"],
    request: (t, form) => ["POST", task(t, "release"), seen(t, form)],
    done: (t) => `${t.route} is back in the queue.`,
  },
  retry: {
    title: (t) => `Run ${t.route} again`,
    says: () => "A new sync with the same parameters and priority is put into the queue.",
    word: "Run again", fields: ["reason"],
    request: (t, form) => ["POST", `/api/history/${t.id}/retry`, given({ reason: form.reason })],
    done: (t) => `${t.route} was submitted again.`,
  },
  pause: {
    title: (t) => (t.crm_source ? `Pause ${t.crm_source}` : "Pause the pool"),
    says: (t) => `No queued sync of ${whose(t)} starts until it is resumed. Running syncs go on to their end.`,
    word: "Pause", fields: ["crm", "minutes", "reason"],
    request: (t, form) => ["POST", "/api/pause", given({ crm_source: form.crm || null, reason: form.reason, expires_at: until(form) })],
    done: (t, form) => `${form.crm || "The pool"} is paused.`,
  },
  resume: {
    title: (t) => (t.crm_source ? `Resume ${t.crm_source}` : "Resume the pool"),
    says: (t) => `Queued syncs of ${whose(t)} start again as slots are free.`,
    word: "Resume", fields: ["reason"],
    request: (t, form) => ["POST", "/api/resume", given({ crm_source: t.crm_source ?? null, reason: form.reason })],
    done: (t) => `${t.crm_source ?? "The pool"} is resumed.`,
  },
  limit: {
    title: () => "Limits",
    says: (t) => `${limitNow(t)} A lower limit ends nothing that runs; a higher one starts queued syncs at once.`,
    word: "Set the limit", fields: ["crm", "max_workers", "minutes", "reason"],
    request: (t, form) => [
      "PUT", form.crm ? `/api/limits/${encodeURIComponent(form.crm)}` : "/api/limits",
      given({ max_workers: form.max_workers === "" || form.max_workers === null ? null : Number(form.max_workers), reason: form.reason, expires_at: until(form) }),
    ],
    done: (t, form) => (form.max_workers === "" || form.max_workers === null ? `${form.crm || "The pool"} has no limit of its own now.` : `${form.crm || "The pool"} may run ${form.max_workers} at once.`),
  },
  process: {
    title: () => "Process the queue",
    says: () => "Looks now for free slots and starts the syncs whose turn it is. The pool does this by itself; it helps when something seems to have been missed.",
    word: "Process the queue", fields: [],
    request: () => ["POST", "/api/queue/process", {}],
    done: (t, form, answer) => `${answer.started} started.`,
  },
  clear: {
    title: () => "Clear the queue",
    says: (t) => `All ${t.count} waiting syncs are cancelled, held and delayed ones too. Running syncs go on. This cannot be undone.`,
    word: "Cancel all waiting syncs", danger: true, fields: ["reason"],
    request: (t, form) => ["POST", "/api/queue/clear", given({ expected_count: t.count, reason: form.reason })],
    done: (t, form, answer) => `${answer.cancelled} cancelled.`,
  },
};
