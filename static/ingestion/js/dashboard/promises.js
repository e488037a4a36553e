// Which promises about the age of datasets are broken, in words.
import { spanText } from "../times.js";

// So many late datasets are listed; the pages of the CRMs list all.
const MOST_LATE = 3;

export const promises = {
  promiseTitle() {
    const { late, promised_count: promised } = this.datasets;
    if (!promised) return "No dataset is promised: none has a schedule or a declared age";
    if (!late.length) return `All ${this.count(promised)} promised datasets are on time`;
    return `${this.count(late.length)} of ${this.count(promised)} promised datasets ${late.length === 1 ? "is" : "are"} late`;
  },

  shownLate() {
    return this.datasets.late.slice(0, MOST_LATE);
  },

  moreLate() {
    return Math.max(0, this.datasets.late.length - MOST_LATE);
  },

  lateText(dataset) {
    const last = dataset.last_success_at ? `last loaded ${this.ago(dataset.last_success_at)}` : "never loaded";
    return `late for ${spanText(this.since(dataset.late_since))}; ${last}; promised ${dataset.promise.words}`;
  },
};
