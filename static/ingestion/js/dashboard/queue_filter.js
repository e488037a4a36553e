// Which part of the queue is shown.
export const queueFilter = {
  queueFilter: { crm: "", type: "" },

  isQueueFiltered() {
    return Boolean(this.queueFilter.crm);
  },

  queueTypes() {
    return this.options.crms[this.queueFilter.crm]?.sync_types ?? [];
  },

  crmOfQueueChosen() {
    this.queueFilter.type = "";
    this.filterQueue();
  },

  filterQueue() {
    this.toPage(0);
  },

  queueQuery() {
    const { crm, type } = this.queueFilter;
    return crm ? `&${new URLSearchParams({ queue_crm: crm, queue_type: type })}` : "";
  },
};
