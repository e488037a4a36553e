// A button with data-method and data-path does its action after a dialog has said what will happen.
import { call, given, newKey } from "./api.js";
import { localSentence } from "./times.js";

const dialog = document.getElementById("confirm");
const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
const done = document.getElementById("confirm-done");
let action = null;

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-method]");
  if (button) open(button);
});

/** The dialog's button says what the one on the page said. */
function open(button) {
  const { method, path, body, title, says, done, then, asksWhy } = button.dataset;
  action = { method, path, done, then, body: body ? JSON.parse(body) : {}, key: newKey() };
  dialog.querySelector("label").hidden = asksWhy === "no";
  document.getElementById("confirm-title").textContent = title;
  part("says").textContent = localSentence(says);
  part("problem").hidden = true;
  part("go").disabled = false;
  part("go").textContent = button.textContent;
  part("go").classList.toggle("danger", button.classList.contains("danger"));
  dialog.querySelector("form").reset();
  dialog.showModal();
}

part("back").addEventListener("click", () => dialog.close());

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (part("go").disabled) return;
  part("go").disabled = true;
  try {
    await carryOut(given({ reason: event.target.elements.reason.value }));
    dialog.close();
    if (action.then) return location.assign(action.then);
    done.textContent = action.done;
    done.hidden = false;
    done.scrollIntoView({ block: "nearest" });
  } catch (problem) {
    part("problem").textContent = problem.message;
    part("problem").hidden = false;
    if (problem.status) action.key = newKey();
  } finally {
    part("go").disabled = false;
  }
});

/** What is deleted has no body: the reason stands in the address. */
function carryOut(why) {
  const { method, path, body, key } = action;
  if (method !== "DELETE") return call(method, path, { body: { ...body, ...why }, key });
  const query = new URLSearchParams(why).toString();
  return call(method, query ? `${path}?${query}` : path, { key });
}
