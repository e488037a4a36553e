// The one dialog in which an action is confirmed. While its answer is awaited it cannot be sent again.
import { call, newKey } from "../api.js";
import { ACTIONS } from "./actions.js";

// Where the focus was when the dialog opened, and the heading above it.
let opener = null;
let heading = null;

export const dialog = {
  action: null,
  target: {},
  form: {},
  isAsking: false,
  isBusy: false,
  problem: "",
  key: "",

  ask(name, target = {}) {
    this.action = name;
    this.target = { ...target };
    this.form = {
      reason: "", minutes: "", crm: target.crm_source ?? "",
      priority: target.priority ?? 0, max_workers: target.max_workers ?? "",
    };
    this.isBusy = false;
    this.problem = "";
    this.key = newKey();
    opener = document.activeElement;
    heading = opener.closest("section")?.querySelector("h2[tabindex]");
    this.isAsking = true;
    // On a phone the dialog covers the lower part of the page.
    if (innerWidth < 761) opener.closest("tr")?.scrollIntoView({ block: "start" });
    this.$refs.action.showModal();
    // The fields of this action are shown a moment later.
    this.$nextTick(() => this.$refs.action.querySelector("label:not([style*='none']) :is(select, input)")?.focus());
  },

  /** An action may take its own row away, and the focus with it: then it goes to the heading. */
  keepFocus() {
    if (!opener || opener.isConnected || this.$refs.action.open) return;
    if (document.activeElement === document.body) heading?.focus();
    opener = heading = null;
  },

  closeDeed() {
    this.$refs.action.close();
  },

  /** Also by the Escape key. */
  actionClosed() {
    this.isAsking = false;
  },

  actionTitle() {
    return this.action ? ACTIONS[this.action].title(this.target) : "";
  },

  deedSays() {
    if (!this.action) return "";
    return ACTIONS[this.action].says({ ...this.target, crm_source: this.form.crm, limit: this.limitOf(this.form.crm) });
  },

  /** Another CRM has another limit; an empty number says that it has none. */
  crmChosenForDeed() {
    this.form.max_workers = this.limitOf(this.form.crm) ?? "";
  },

  deedWord() {
    return this.action ? ACTIONS[this.action].word : "";
  },

  isDanger() {
    return Boolean(this.action && ACTIONS[this.action].danger);
  },

  asksFor(field) {
    return Boolean(this.action && ACTIONS[this.action].fields.includes(field));
  },

  async doDeed() {
    if (this.isBusy) return;
    this.isBusy = true;
    this.problem = "";
    const { target, form, key } = this;
    const action = ACTIONS[this.action];
    const [method, path, body] = action.request(target, form);
    try {
      const answer = await call(method, path, { body, key });
      this.closeDeed();
      this.toast(action.done(target, form, answer ?? {}));
    } catch (problem) {
      this.problem = told(problem);
      // The next try is another action: what was refused must not be answered from memory.
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
