// The log of a run: its lines as they come, from a level on, with a text in them.
import { Poller } from "./poller.js";
import { clockText } from "./times.js";

const SECONDS = 2;
const MOST_SHOWN = 4000;
const holder = document.getElementById("run-log");
const filter = document.getElementById("run-log-filter");
const shown = document.getElementById("run-log-lines");
const empty = document.getElementById("run-log-empty");
const problem = document.getElementById("run-log-problem");
const updates = document.getElementById("now-updates");
let after = 0;

const poller = new Poller({
  url: () => `/api/history/${holder.dataset.run}/log?${new URLSearchParams({ after, level: filter.elements.level.value, text: filter.elements.text.value })}`,
  seconds: SECONDS,
  onData: show,
  onLook: (look) => {
    problem.textContent = look.ok ? "" : look.problem.message;
    problem.hidden = look.ok;
  },
});

function show(found) {
  add(found.lines);
  after = found.next_after ?? after;
  empty.textContent = found.has_ended ? "No line was kept." : "No line yet.";
  if (found.has_ended) poller.every(0);
}

/** The reader stays at the end as long as that is where they are. */
function add(lines) {
  const isAtEnd = shown.scrollTop + shown.clientHeight >= shown.scrollHeight - 8;
  let last = after;
  for (const line of lines) {
    if (last && line.number > last + 1 && !filter.elements.level.value && !filter.elements.text.value) shown.append(row("cut", `… ${line.number - last - 1} lines were cut …`));
    last = line.number;
    shown.append(row(line.level, `${clockText(line.at)} ${line.level.padEnd(8)} ${line.text}`));
  }
  while (shown.childElementCount > MOST_SHOWN) shown.firstElementChild.remove();
  shown.hidden = !shown.childElementCount;
  empty.hidden = !shown.hidden;
  if (isAtEnd) shown.scrollTop = shown.scrollHeight;
}

function row(level, text) {
  const made = document.createElement("span");
  made.className = `line-${level}`;
  made.textContent = `${text}\n`;
  return made;
}

function again() {
  after = 0;
  shown.replaceChildren();
  poller.now();
}

filter.addEventListener("input", again);
filter.addEventListener("submit", (event) => event.preventDefault());
updates?.addEventListener("change", () => poller.every(updates.checked ? SECONDS : 0));
poller.start();
