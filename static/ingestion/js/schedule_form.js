// The form of a schedule: says while one types when it would run, and hands it to the API.
import { call, newKey } from "./api.js";
import { clockText, fullText } from "./times.js";

const PAUSE_MS = 300;
const { id, fields, models } = JSON.parse(document.getElementById("schedule-form").textContent);
const form = document.getElementById("schedule");
const problem = document.getElementById("problem");
const input = (name) => form.elements[name];
const CRON = ["minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone"];
const MOMENTS = ["start_at", "end_at"];
let key = newKey();
let timer;
let asked = 0;

function fill() {
  for (const name of ["name", "crm_source", "mode", "execution", "priority", "recurrence", "every", "period", ...CRON]) {
    if (fields[name]) input(name).value = fields[name];
  }
  if (!fields.crm_source) input("crm_source").selectedIndex = 0;
  input("priority").value = fields.priority;
  input("options").value = Object.keys(fields.options).length ? JSON.stringify(fields.options) : "";
  input("enabled").checked = fields.enabled;
  for (const name of MOMENTS) input(name).value = localText(fields[name]);
  showModels();
  if (fields.model_name) input("model_name").value = fields.model_name;
  showRecurrence();
  const zones = Intl.supportedValuesOf("timeZone").map((zone) => Object.assign(document.createElement("option"), { value: zone }));
  document.getElementById("zones").append(...zones);
}

function showModels() {
  const found = models[input("crm_source").value] ?? [];
  input("model_name").replaceChildren(...found.map((name) => new Option(name, name)));
}

function showRecurrence() {
  for (const part of form.querySelectorAll("[data-recurrence]")) {
    part.hidden = part.dataset.recurrence !== input("recurrence").value;
    // What is not shown must not keep the form from being sent.
    for (const element of part.querySelectorAll("input, select")) element.disabled = part.hidden;
  }
}

/** As the API takes it. Throws a SyntaxError for options that are no JSON. */
function given() {
  const found = { options: JSON.parse(input("options").value || "{}"), enabled: input("enabled").checked, priority: Number(input("priority").value) };
  for (const name of ["name", "crm_source", "model_name", "mode", "execution", "recurrence"]) found[name] = input(name).value;
  if (found.recurrence === "interval") Object.assign(found, { every: Number(input("every").value), period: input("period").value });
  else for (const name of CRON) found[name] = input(name).value;
  for (const name of MOMENTS) found[name] = isoText(input(name).value, fields[name]);
  return found;
}

const pad = (number) => String(number).padStart(2, "0");

/** For an input of a time in the reader's zone. */
function localText(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** What was not touched stays to the second. */
function isoText(text, before) {
  if (!text) return null;
  return text === localText(before) ? before : new Date(text).toISOString();
}

async function preview() {
  const turn = ++asked;
  try {
    const schedule = given();
    schedule.name ||= "preview";
    const found = await call("POST", "/api/schedules/preview", { body: { schedule } });
    if (turn !== asked) return;
    const off = schedule.enabled ? "" : " once it is switched on";
    showPreview(`Runs ${found.words}${off}${found.next_runs.length ? ":" : ", and has ended."}`, found.next_runs);
    markFields({});
  } catch (error) {
    if (turn !== asked) return;
    showPreview(sentence(error), []);
    markFields(error.fields ?? {});
  }
}

function sentence(error) {
  return error instanceof SyntaxError ? `Options are no JSON: ${error.message}` : error.message;
}

function showPreview(words, runs) {
  document.getElementById("preview-words").textContent = words;
  document.getElementById("preview-runs").replaceChildren(...runs.map(run));
}

function run(at) {
  const made = document.createElement("li");
  made.append(Object.assign(document.createElement("time"), { dateTime: at, textContent: clockText(at), title: fullText(at) }));
  return made;
}

function markFields(wrong) {
  for (const element of form.elements) {
    if (!element.name) continue;
    if (wrong[element.name]) element.setAttribute("aria-invalid", "true");
    else element.removeAttribute("aria-invalid");
  }
}

form.addEventListener("input", (event) => {
  if (event.target.name === "crm_source") showModels();
  if (event.target.name === "recurrence") showRecurrence();
  clearTimeout(timer);
  timer = setTimeout(preview, PAUSE_MS);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector('[type="submit"]');
  if (button.disabled) return;
  button.disabled = true;
  problem.hidden = true;
  try {
    const path = id ? `/api/schedules/${id}` : "/api/schedules";
    const { schedule } = await call(id ? "PATCH" : "POST", path, { body: given(), key });
    location.assign(`/schedules/${schedule.id}/`);
  } catch (error) {
    problem.textContent = sentence(error);
    problem.hidden = false;
    markFields(error.fields ?? {});
    if (error.status !== 0) key = newKey();
    button.disabled = false;
  }
});

fill();
preview();
