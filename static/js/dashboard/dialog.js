// The one dialog in which a deed is confirmed. While its answer is awaited it cannot be sent again.
import { call, newKey } from "../api.js";
import { DEEDS } from "./deeds.js";

export const dialog = {
  deed: null,
  target: {},
  form: {},
  isBusy: false,
  problem: "",
  key: "",

  ask(name, target = {}) {
    this.deed = name;
    this.target = { ...target };
    this.form = {
      reason: "", minutes: "", crm: target.crm_source ?? "",
      priority: target.priority ?? 0, max_workers: target.max_workers ?? "",
    };
    this.isBusy = false;
    this.problem = "";
    this.key = newKey();
    this.$refs.deed.showModal();
  },

  closeDeed() {
    this.$refs.deed.close();
  },

  deedTitle() {
    return this.deed ? DEEDS[this.deed].title(this.target) : "";
  },

  deedSays() {
    return this.deed ? DEEDS[this.deed].says({ ...this.target, crm_source: this.form.crm }) : "";
  },

  deedWord() {
    return this.deed ? DEEDS[this.deed].word : "";
  },

  isDanger() {
    return Boolean(this.deed && DEEDS[this.deed].danger);
  },

  asksFor(field) {
    return Boolean(this.deed && DEEDS[this.deed].fields.includes(field));
  },

  async doDeed() {
    if (this.isBusy) return;
    this.isBusy = true;
    this.problem = "";
    const { target, form, key } = this;
    const deed = DEEDS[this.deed];
    const [method, path, body] = deed.request(target, form);
    try {
      const answer = await call(method, path, { body, key });
      this.closeDeed();
      this.toast(deed.done(target, form, answer ?? {}));
    } catch (problem) {
      this.problem = told(problem);
      // The next try is another deed: what was refused must not be answered from memory.
      if (problem.status) this.key = newKey();
    } finally {
      this.isBusy = false;
      this.lookNow();
    }
  },
};

function told(problem) {
  if (problem.status !== 409) return problem.message;
  return `${problem.message} Somebody was faster; close this and look again.`;
}
