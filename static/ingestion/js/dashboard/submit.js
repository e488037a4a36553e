// The dialog that submits a sync, with a live word on when it would start.
import { call, given, newKey } from "../api.js";
import { localSentence, rangeText } from "../times.js";

const FORECAST_AFTER_MS = 300;

// What its inputs begin with; one that is not named here begins empty.
const EMPTY = { crm_source: "", sync_type: "all", mode: "delta", priority: 0, on_overlap: "coalesce", after: "" };

export const submit = {
  isSubmitting: false,
  wish: { ...EMPTY },
  forecast: "",
  submitProblem: "",
  submitKey: "",
  forecastTimer: null,

  openSubmit(crmSource = "", syncType = "all") {
    this.wish = { ...EMPTY, crm_source: crmSource || this.crmNames()[0] || "", sync_type: syncType };
    this.submitProblem = "";
    this.isSubmitting = false;
    this.submitKey = newKey();
    this.$refs.submit.showModal();
    this.askForecast();
  },

  closeSubmit() {
    this.$refs.submit.close();
  },

  crmNames() {
    return Object.keys(this.options.crms);
  },

  crmTitle(name) {
    return this.options.crms[name].title;
  },

  syncTypes() {
    return this.options.crms[this.wish.crm_source]?.sync_types ?? [];
  },

  crmChosen() {
    this.wish.sync_type = this.syncTypes().includes("all") ? "all" : this.syncTypes()[0];
    this.askForecast();
  },

  /** The ids of the tasks that this one is to wait for. */
  predecessors() {
    return this.wish.after.split(/[\s,]+/).filter(Boolean);
  },

  waitsForOthers() {
    return this.predecessors().length > 0;
  },

  // Who waits for others cannot be merged with one that does not.
  afterTyped() {
    if (this.waitsForOthers() && this.wish.on_overlap === "coalesce") this.wish.on_overlap = "allow";
  },

  openTasks() {
    return this.pool ? [...this.pool.active, ...this.shownWaiting()] : [];
  },

  openTaskText({ crm_source, sync_type, status }) {
    return `${crm_source}.${sync_type}, ${status}`;
  },

  wishParameters() {
    const wish = this.wish;
    return given({
      mode: ["full", "force7"].includes(wish.mode) ? wish.mode : undefined,
      start_date: wish.mode === "since" ? wish.start_date : undefined,
      max_records: wish.max_records ? Number(wish.max_records) : undefined,
    });
  },

  askForecast() {
    clearTimeout(this.forecastTimer);
    this.forecastTimer = setTimeout(() => this.showForecast(), FORECAST_AFTER_MS);
  },

  async showForecast() {
    const { crm_source, sync_type, priority, on_overlap } = this.wish;
    const parameters = JSON.stringify(this.wishParameters());
    const query = new URLSearchParams({ crm_source, sync_type, priority: priority || 0, on_overlap, parameters });
    for (const id of this.predecessors()) query.append("after", id);
    const asked = (this.asked = query.toString());
    try {
      const answer = await call("GET", `/api/forecast?${query}`);
      if (asked === this.asked) this.forecast = this.forecastText(answer);
    } catch (problem) {
      if (asked === this.asked) this.forecast = problem.message;
    }
  },

  forecastText({ sentence, start, reason }) {
    const said = localSentence(sentence);
    return !start || reason.code === "next" ? said : `${said} It would start ${rangeText(start, Date.now())}.`;
  },

  async doSubmit() {
    if (this.isSubmitting) return;
    this.isSubmitting = true;
    this.submitProblem = "";
    // What the parameters are made of goes with them, the rest by its own name.
    const { mode, start_date, max_records, priority, not_before, ...rest } = this.wish;
    const { crm_source, sync_type } = rest;
    const body = given({
      ...rest,
      priority: Number(priority) || 0,
      parameters: this.wishParameters(),
      not_before: not_before ? new Date(not_before).toISOString() : undefined,
      after: this.predecessors(),
    });
    try {
      const answer = await call("POST", "/api/tasks", { body, key: this.submitKey });
      this.closeSubmit();
      this.toast(answer.coalesced_into ? `${crm_source}.${sync_type} was merged with the one that waits already.` : `${crm_source}.${sync_type} was submitted.`);
    } catch (problem) {
      this.submitProblem = problem.message;
      if (problem.status) this.submitKey = newKey();
    } finally {
      this.isSubmitting = false;
      this.lookNow();
    }
  },
};
