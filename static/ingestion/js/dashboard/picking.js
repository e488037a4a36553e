// Rows of the queue that are marked for an action on all of them. A mark stays while the data is renewed
// and while the pages of the queue are turned; it goes with the task.
export const picking = {
  picked: {},
  lastPicked: "",

  shownWaiting() {
    return this.pool ? [...this.pool.queued, ...this.waitingRest()] : [];
  },

  pickedIds() {
    return Object.keys(this.picked);
  },

  pickedText() {
    const number = this.pickedIds().length;
    return number ? `${this.count(number)} selected` : "";
  },

  isPicked(task) {
    return task.id in this.picked;
  },

  isAllPicked() {
    const shown = this.shownWaiting();
    return shown.length > 0 && shown.every((task) => this.isPicked(task));
  },

  /** A box for many is half checked when some of them are. */
  showHalf(box) {
    box.indeterminate = !this.isAllPicked() && this.shownWaiting().some((task) => this.isPicked(task));
  },

  pick(tasks, isPicked) {
    const picked = { ...this.picked };
    for (const { id } of tasks) {
      if (isPicked) picked[id] = true;
      else delete picked[id];
    }
    this.picked = picked;
  },

  pickAll(event) {
    this.pick(this.shownWaiting(), event.target.checked);
  },

  pickNone() {
    this.picked = {};
    document.getElementById("queue-title").focus();
  },

  /** With the shift key all rows from the last marked one to this. */
  pickOne(task, event) {
    const shown = this.shownWaiting();
    const here = shown.findIndex(({ id }) => id === task.id);
    const last = event.shiftKey ? shown.findIndex(({ id }) => id === this.lastPicked) : -1;
    const [from, to] = last < 0 ? [here, here] : [Math.min(here, last), Math.max(here, last)];
    this.pick(shown.slice(from, to + 1), event.target.checked);
    this.lastPicked = task.id;
  },

  /** The arrows lead from box to box. */
  nextBox(event) {
    const boxes = [...document.querySelectorAll("input[data-pick]")];
    const next = boxes[boxes.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) next.focus();
    event.preventDefault();
  },

  /** Of what is known not to wait any more the mark goes. */
  dropGone() {
    const { active, results, queue_page, queued_count, delayed_count, held_count, is_cut } = this.pool;
    const shown = new Set(this.shownWaiting().map(({ id }) => id));
    const gone = new Set([...active.map(({ id }) => id), ...results.map(({ task_id }) => task_id)]);
    const isWhole = !is_cut && queue_page.offset === 0 && shown.size === queued_count + delayed_count + held_count;
    const stays = (id) => shown.has(id) || !(isWhole || gone.has(id));
    if (!this.pickedIds().every(stays)) this.picked = Object.fromEntries(this.pickedIds().filter(stays).map((id) => [id, true]));
  },
};
