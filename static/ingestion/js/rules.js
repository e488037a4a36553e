// The level of a rule, for all CRMs: chosen in its row, kept at once.
import { call, newKey } from "./api.js";

const problem = document.getElementById("rules-problem");
const done = document.getElementById("rules-done");

for (const select of document.querySelectorAll("select.level")) {
  let before = select.value;
  select.addEventListener("change", async () => {
    const level = select.value;
    const body = level === "off" ? { enabled: false } : { enabled: true, level };
    select.disabled = true;
    problem.hidden = done.hidden = true;
    try {
      await call("PATCH", `/api/automation/rules/${encodeURIComponent(select.dataset.rule)}`, { body, key: newKey() });
      before = level;
      done.textContent = `${select.dataset.rule}: ${level}.`;
      done.hidden = false;
    } catch (error) {
      select.value = before;
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      select.disabled = false;
    }
  });
}
