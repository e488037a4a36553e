// The same deed on all tasks that a filter finds: first the count, then the deed on exactly those.
import { call, given, newKey } from "../api.js";

const EMPTY = { action: "cancel", crm_source: "", sync_type: "", status: "queued", minutes: "", requested_by: "", priority: 10, reason: "" };

export const bulk = {
  many: { ...EMPTY },
  found: null,
  isBulkBusy: false,
  bulkProblem: "",
  bulkKey: "",

  openBulk() {
    this.many = { ...EMPTY };
    this.found = null;
    this.bulkProblem = "";
    this.isBulkBusy = false;
    this.$refs.bulk.showModal();
  },

  closeBulk() {
    this.$refs.bulk.close();
  },

  bulkTypes() {
    return this.options.crms[this.many.crm_source]?.sync_types ?? [];
  },

  /** A changed filter makes what was found worthless. */
  forgetFound() {
    this.found = null;
    this.bulkProblem = "";
  },

  bulkBody() {
    const { action, crm_source, sync_type, status, minutes, requested_by, priority, reason } = this.many;
    const older = minutes ? 60 * Number(minutes) : undefined;
    const filter = given({ crm_source, sync_type, status, requested_by, older_than_seconds: older });
    return given({ action, filter, reason, priority: action === "priority" ? Number(priority) : undefined });
  },

  bulkSays() {
    const verbs = { cancel: "will be cancelled", hold: "will be held", release: "will be released", priority: `get priority ${this.many.priority}`, front: "move to the front" };
    if (!this.found) return "Count first: nothing is changed by that.";
    return `${this.found.count} ${this.found.count === 1 ? "task" : "tasks"} ${verbs[this.many.action]}.`;
  },

  async previewBulk() {
    await this.bulkCall(async () => {
      this.found = await call("POST", "/api/bulk/preview", { body: this.bulkBody() });
      this.bulkKey = newKey();
    });
  },

  async doBulk() {
    await this.bulkCall(async () => {
      const body = { ...this.bulkBody(), digest: this.found.digest };
      const answer = await call("POST", "/api/bulk", { body, key: this.bulkKey });
      const conflicts = Array.isArray(answer.conflicts) ? answer.conflicts.length : answer.conflicts;
      this.closeBulk();
      this.toast(`${answer.done} done.${conflicts ? ` ${conflicts} had changed meanwhile and were left alone.` : ""}`);
      this.lookNow();
    });
  },

  async bulkCall(deed) {
    if (this.isBulkBusy) return;
    this.isBulkBusy = true;
    this.bulkProblem = "";
    try {
      await deed();
    } catch (problem) {
      this.bulkProblem = problem.status === 409 ? "What the filter finds has changed; count again." : problem.message;
      if (problem.status === 409) this.found = null;
    } finally {
      this.isBulkBusy = false;
    }
  },
};
