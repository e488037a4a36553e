// The check of a CRM's credentials: its answers as rows, all of them texts.
import { call } from "./api.js";
import { spanText } from "./times.js";

const PATIENCE_MS = 90000;
const WORDS = {
  ok: "In order", not_offered: "Not offered", not_allowed: "Not allowed", not_configured: "Not set up", unused: "Unused",
  credentials_refused: "Refused", quota_used_up: "Quota used up", unavailable: "No answer", failed: "Failed",
};
const button = document.getElementById("check");
const show = (id, isShown) => (document.getElementById(id).hidden = !isShown);

button?.addEventListener("click", async () => {
  button.disabled = true;
  show("checks", true);
  show("checks-busy", true);
  show("checks-problem", false);
  show("checks-table", false);
  try {
    const path = `/api/crms/${encodeURIComponent(button.dataset.crm)}/check`;
    const answer = await call("POST", path, { body: {}, signal: AbortSignal.timeout(PATIENCE_MS) });
    document.querySelector("#checks-table tbody").replaceChildren(...answer.checks.map(row));
    show("checks-table", true);
  } catch (problem) {
    document.getElementById("checks-problem").textContent = problem.message;
    show("checks-problem", true);
  } finally {
    show("checks-busy", false);
    button.disabled = false;
  }
});

function row(check) {
  const badge = Object.assign(document.createElement("span"), { textContent: WORDS[check.state] ?? check.state });
  badge.className = `badge ${check.is_right ? "is-ok" : "is-wrong"}`;
  const cells = [
    ["Model", check.model ?? "all"], ["Answer", badge],
    ["Took", check.seconds ? spanText(check.seconds) : "–"], ["To do", check.message || "nothing"],
  ];
  const made = document.createElement("tr");
  made.append(...cells.map(([label, content]) => cell(label, content)));
  return made;
}

function cell(label, content) {
  const made = document.createElement("td");
  made.dataset.label = label;
  const box = document.createElement("span");
  box.append(content);
  made.append(box);
  return made;
}
