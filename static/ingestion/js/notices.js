// What each channel is told: kept when somebody saves its row; a test goes out at once.
import { call, newKey } from "./api.js";

const problem = document.getElementById("channel-problem");
const done = document.getElementById("channel-done");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-does]");
  if (!button) return;
  const row = button.closest("tr[data-channel]");
  button.disabled = true;
  problem.hidden = done.hidden = true;
  try {
    done.textContent = button.dataset.does === "test" ? await test(row.dataset.channel) : await save(row);
    done.hidden = false;
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  } finally {
    button.disabled = false;
  }
});

async function test(name) {
  const { delivery } = await call("POST", `${path(name)}/test`, { body: {}, key: newKey() });
  if (delivery.state !== "sent") throw new Error(`${name}: ${delivery.error}`);
  return `${name} took the test.`;
}

async function save(row) {
  const field = (name) => row.querySelector(`[name="${name}"]`);
  const body = {
    enabled: field("enabled").checked,
    level: field("level").value,
    quiet_from: field("quiet_from").value || null,
    quiet_until: field("quiet_until").value || null,
    timezone: field("timezone").value,
  };
  await call("PATCH", path(row.dataset.channel), { body, key: newKey() });
  return `${row.dataset.channel} is set.`;
}

const path = (name) => `/api/notices/channels/${encodeURIComponent(name)}`;
