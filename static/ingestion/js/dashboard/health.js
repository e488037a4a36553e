// Whether the parts behind the pool give signs of life, in a few words each.
export const health = {
  monitorText() {
    const at = this.pool.monitor.last_round_at;
    return at ? `last round ${this.ago(at)}` : "no round yet";
  },

  beatText() {
    const at = this.pool.beat.last_tick_at;
    return at ? `last tick ${this.ago(at)}` : "no tick yet";
  },

  workersText() {
    const online = this.pool.workers.filter((worker) => worker.is_online);
    const processes = online.reduce((sum, worker) => sum + worker.capacity, 0);
    return online.length ? `${online.length} online, ${this.count(processes)} processes` : "none online";
  },

  hostText(host) {
    const parts = [`${host.workers_online} online`];
    if (host.workers_leaving) parts.push(`${host.workers_leaving} leaving`);
    parts.push(`${this.count(host.running)} of ${this.count(host.capacity)} processes run a sync`);
    if (host.releases.length) parts.push(`release ${host.releases.join(", ")}`);
    if (!host.workers_online) parts.push(`last seen ${this.ago(host.last_seen_at)}`);
    return parts.join(", ");
  },
};
