// How old a dataset may be at most: the form of the settings page, and what takes a bound away.
import { call, given, newKey } from "./api.js";

const form = document.getElementById("bound-form");
const problem = document.getElementById("bound-problem");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { dataset, hours, reason } = form.elements;
  const [crm, model] = dataset.value.split(".").map(encodeURIComponent);
  const body = { max_age_seconds: Number(hours.value) * 3600, ...given({ reason: reason.value }) };
  problem.hidden = true;
  try {
    await call("PUT", `/api/datasets/${crm}/${model}/freshness`, { body, key: newKey() });
    location.reload();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
});
