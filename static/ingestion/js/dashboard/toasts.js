// Short answers at the corner of the page, read out politely, gone after a while.
const SECONDS = 6;
let last = 0;

export const toasts = {
  messages: [],

  toast(text, kind = "success") {
    const id = (last += 1);
    this.messages.push({ id, text, kind });
    setTimeout(() => this.dropToast(id), 1000 * SECONDS);
  },

  dropToast(id) {
    this.messages = this.messages.filter((message) => message.id !== id);
  },
};
