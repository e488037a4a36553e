// The SQL box: sends the query to the API and writes the answer as a table of plain text.
import { call } from "./api.js";

const form = document.getElementById("sql-form");
const state = document.getElementById("sql-state");
const problem = document.getElementById("sql-problem");
const answer = document.getElementById("sql-answer");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  problem.hidden = true;
  state.textContent = "The warehouse is asked …";
  try {
    const body = Object.fromEntries(new FormData(form));
    show(await call("POST", "/api/data/query", { body, signal: AbortSignal.timeout(330000) }));
  } catch (error) {
    answer.hidden = true;
    state.textContent = "";
    problem.textContent = error.message;
    problem.hidden = false;
  } finally {
    button.disabled = false;
  }
});

function show({ columns, rows, is_cut }) {
  answer.querySelector("thead").replaceChildren(line(columns, (name) => cell("th", name)));
  answer.querySelector("tbody").replaceChildren(...rows.map((row) => line(row, (value) => cell("td", value))));
  answer.hidden = false;
  const count = rows.length === 1 ? "1 row" : `${rows.length} rows`;
  state.textContent = is_cut ? `The first ${count}; there are more.` : `${count}.`;
}

function line(values, made) {
  const row = document.createElement("tr");
  row.append(...values.map(made));
  return row;
}

function cell(tag, value) {
  const found = document.createElement(tag);
  if (tag === "th") found.scope = "col";
  found.textContent = value === null ? "empty" : String(value);
  if (value === null) found.className = "quiet";
  return found;
}
