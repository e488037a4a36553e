// The one place for what everybody has to know, the most important first, each with what to do.
const SHOWN = 4;

export const banners = {
  isEveryBannerShown: false,

  banners() {
    if (!this.pool) return [];
    const { problems, notes } = this.pool;
    return [
      ...problems.map((text) => ({ key: text, kind: "warning", text: this.local(text), href: "/notices/", label: "Notices" })),
      ...this.pauses(),
      ...this.limitedCrms().map((limit) => ({
        key: `limit ${limit.crm}`, kind: "calm", action: "limit", label: `Change the limit of ${limit.crm}`,
        text: `${limit.crm} may run ${limit.value} at once, set ${this.controlText(limit)}`,
        target: { crm_source: limit.crm, max_workers: limit.value },
      })),
      ...notes.map((text) => ({ key: text, kind: "calm", text })),
    ];
  },

  pauses() {
    const crms = this.pausedCrms().map((crm) => ({
      key: `pause ${crm}`, kind: "", text: `${crm} is paused ${this.controlText(this.crmPause(crm))}`,
      action: "resume", label: `Resume ${crm}`, target: { crm_source: crm },
    }));
    const pause = this.poolPause();
    if (!pause) return crms;
    return [{ key: "pause", kind: "", text: `The pool is paused ${this.controlText(pause)}`, action: "resume", label: "Resume the pool", target: {} }, ...crms];
  },

  shownBanners() {
    return this.isEveryBannerShown ? this.banners() : this.banners().slice(0, SHOWN);
  },

  moreBanners() {
    return this.banners().length - this.shownBanners().length;
  },

  showAllBanners() {
    this.isEveryBannerShown = true;
  },
};
