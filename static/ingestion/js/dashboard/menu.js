// The menu of a row that waits: what is known of it, and what can be done with it.
import { spanText } from "../times.js";

export const menu = {
  chosen: null,

  openMenu(task, event) {
    const box = event.currentTarget.getBoundingClientRect();
    this.chosen = { ...task };
    this.$refs.menu.showPopover();
    this.$nextTick(() => {
      place(this.$refs.menu, box);
      this.$refs.menu.querySelector("button, a")?.focus();
    });
  },

  /** The popover gives the focus back to the row, and the dialog to the row after it. */
  choose(name) {
    const task = this.chosen;
    this.$refs.menu.hidePopover();
    this.ask(name, task);
  },

  chosenText() {
    const task = this.chosen;
    return `asked for by ${task.requested_by || "nobody known"}, waits ${spanText(this.since(task.queued_at))}`;
  },
};

/** Under the button where there is room, else above it; never outside the window. */
function place(menu, box) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isBelow = box.bottom + height + 8 < innerHeight;
  menu.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, isBelow ? box.bottom + 4 : box.top - height - 4)}px`;
}
