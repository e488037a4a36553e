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
};
