// What operators have set: limits and pauses, with who, when, why and until when.
import { localSentence, zonedText } from "../times.js";

export const controls = {
  poolPause() {
    return this.pool.controls?.pause ?? null;
  },

  crmPause(crm) {
    return this.pool.controls?.crm_pauses?.[crm] ?? null;
  },

  /** How many may run at once, of the pool or of a CRM; null without a limit. */
  limitOf(crm) {
    return crm ? this.pool?.controls?.crm_limits?.[crm]?.value ?? null : this.pool?.max_workers;
  },

  pausedCrms() {
    return Object.keys(this.pool.controls?.crm_pauses ?? {});
  },

  limitedCrms() {
    return Object.entries(this.pool.controls?.crm_limits ?? {}).map(([crm, control]) => ({ crm, ...control }));
  },

  controlText(control) {
    if (!control) return "";
    const until = control.expires_at ? ` until ${zonedText(control.expires_at)}` : "";
    const why = control.reason ? `: ${localSentence(control.reason)}` : "";
    return `by ${control.set_by || "nobody known"} at ${zonedText(control.set_at)}${until}${why}`;
  },
};
