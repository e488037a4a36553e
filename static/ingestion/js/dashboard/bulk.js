// The same action on all tasks that a filter finds, or on the marked ones: first the count, then the
// action on exactly those.
import { call, given, newKey } from "../api.js";

const EMPTY = { action: "cancel", crm_source: "", sync_type: "", status: "queued", minutes: "", requested_by: "", ids: null, priority: 10, reason: "" };
const GOES = { cancel: "Cancel", hold: "Hold", release: "Release", move_to_front: "Move", prioritize: "Set the priority of" };
const VERBS = { cancel: "will be cancelled", hold: "will be held", release: "will be released", move_to_front: "will move to the front" };

const tasksText = (count) => `${count} ${count === 1 ? "task" : "tasks"}`;

export const bulk = {
  many: { ...EMPTY },
  found: null,
  isBulkBusy: false,
  bulkProblem: "",
  bulkKey: "",

  openBulk() {
    this.showBulk(null);
  },

  openPicked() {
    this.showBulk(this.pickedIds());
    this.previewBulk();
  },

  showBulk(ids) {
    this.many = { ...EMPTY, ids };
    this.found = null;
    this.bulkProblem = "";
    this.isBulkBusy = false;
    this.$refs.bulk.showModal();
  },

  closeBulk() {
    this.$refs.bulk.close();
  },

  isNamed() {
    return this.many.ids !== null;
  },

  bulkTitle() {
    return this.isNamed() ? "Change the selected" : "Change many";
  },

  bulkTypes() {
    return this.options.crms[this.many.crm_source]?.sync_types ?? [];
  },

  /** What was found stays true of another reason and priority; of anything else it does not. */
  bulkChanged(event) {
    if ("keepsFound" in event.target.dataset) return;
    this.found = null;
    this.bulkProblem = "";
    if (this.isNamed()) this.previewBulk();
  },

  bulkBody() {
    const { action, ids, priority, reason } = this.many;
    const filter = this.isNamed() ? { ids } : this.bulkFilter();
    return given({ action, filter, reason, priority: action === "prioritize" ? Number(priority) : undefined });
  },

  bulkFilter() {
    const { crm_source, sync_type, status, minutes, requested_by } = this.many;
    const older = minutes ? 60 * Number(minutes) : undefined;
    return given({ crm_source, sync_type, status, requested_by, older_than_seconds: older });
  },

  bulkSays() {
    const { action, ids, priority } = this.many;
    if (!this.found) return this.isNamed() ? "Counting…" : "Count first: nothing is changed by that.";
    const { count } = this.found;
    const verb = VERBS[action] ?? `will get priority ${priority}`;
    const tasks = tasksText(count);
    if (!this.isNamed() || count === ids.length) return `${tasks} ${verb}.`;
    return `${tasks} of the ${ids.length} selected ${verb}. Of the others this cannot be done: they have started or ended, or it is so already.`;
  },

  /** The action and how many it meets, as far as they are counted. */
  bulkGo() {
    const verb = GOES[this.many.action];
    const place = this.many.action === "move_to_front" ? " to the front" : "";
    return `${verb} ${this.found ? tasksText(this.found.count) : "tasks"}${place}`;
  },

  async previewBulk() {
    await this.bulkCall(() => this.countBulk());
  },

  async countBulk() {
    const { action } = this.many;
    const found = await call("POST", "/api/bulk/preview", { body: this.bulkBody() });
    if (action !== this.many.action) return this.countBulk();
    this.found = found;
    this.bulkKey = newKey();
  },

  async doBulk() {
    await this.bulkCall(async () => {
      const body = { ...this.bulkBody(), digest: this.found.digest };
      const answer = await call("POST", "/api/bulk", { body, key: this.bulkKey });
      if (this.isNamed()) this.picked = {};
      this.closeBulk();
      const late = answer.conflicts.length;
      this.toast(`${answer.done} done.${late ? ` ${late} had changed meanwhile and were left alone.` : ""}`);
      this.lookNow();
    });
  },

  async bulkCall(action) {
    if (this.isBulkBusy) return;
    this.isBulkBusy = true;
    this.bulkProblem = "";
    try {
      await action();
    } catch (problem) {
      await this.bulkRefused(problem);
    } finally {
      this.isBulkBusy = false;
    }
  },

  async bulkRefused(problem) {
    this.bulkProblem = problem.message;
    if (problem.status !== 409) return;
    this.found = null;
    if (!this.isNamed()) this.bulkProblem = "What the filter finds has changed; count again.";
    else await this.countAgain();
  },

  async countAgain() {
    try {
      await this.countBulk();
      this.bulkProblem = "Something of this has changed meanwhile; nothing was done. This is how it stands now.";
    } catch (problem) {
      this.bulkProblem = problem.message;
    }
  },
};
