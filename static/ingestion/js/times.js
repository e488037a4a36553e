// Times in the reader's zone, and spans of time in words.
const SAME_DAY = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const OTHER_DAY = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const UNITS = [["s", 1], ["min", 60], ["h", 3600], ["days", 86400]];
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const FULL = { dateStyle: "medium", timeStyle: "long" };
// As the server writes a time within a sentence.
const STAMP = /(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?) UTC\b/g;

export function zoneName() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const short = shortZone(new Date());
  return short && short !== zone ? `${zone} (${short})` : zone;
}

/** "CET", "GMT+1", as it is called at that time. */
function shortZone(when) {
  const parts = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(when);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

/** "14:05:09" today, "3 Nov 14:05" on another day, with the year in another year. */
export function clockText(iso, now = new Date()) {
  if (!iso) return "";
  const when = new Date(iso);
  if (when.toDateString() === now.toDateString()) return when.toLocaleTimeString(undefined, SAME_DAY);
  const year = when.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return when.toLocaleString(undefined, { ...OTHER_DAY, ...year });
}

/** As `clockText`, with the zone: for a sentence, which may be read far from the foot of the page. */
export function zonedText(iso) {
  return iso ? `${clockText(iso)} ${shortZone(new Date(iso))}` : "";
}

/** A sentence of the server, its times in the reader's zone. */
export function localSentence(text) {
  return (text ?? "").replace(STAMP, (stamp, day, clock) => {
    const iso = `${day}T${clock}Z`;
    return Number.isNaN(Date.parse(iso)) ? stamp : zonedText(iso);
  });
}

/** The whole time with its zone, for a title. */
export function fullText(iso) {
  return iso ? new Date(iso).toLocaleString(undefined, FULL) : "";
}

/** "8 s", "2 min 05 s", "3 h 10 min", "4 d 2 h". */
export function spanText(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** For an axis: "40s", "5m", "2h". */
export function shortSpan(seconds) {
  if (seconds < 60) return `${Math.round(seconds)}s`;
  return seconds < 3600 ? `${Math.round(seconds / 6) / 10}m` : `${Math.round(seconds / 360) / 10}h`;
}

/** For an axis: "14:05" today, "3 Nov 14:05" on another day; of seconds since 1970. */
export function shortTime(epoch) {
  const when = new Date(epoch * 1000);
  const day = when.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
  return when.toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

export function secondsBetween(from, to) {
  return from && to ? (new Date(to) - new Date(from)) / 1000 : null;
}

/** "in 2 to 5 min", "in 5 min", "within 5 min", "any moment", of a range of times seen at `now` (ms). */
export function rangeText(range, now) {
  const to = secondsBetween(new Date(now), range.latest);
  if (to <= 1) return "any moment";
  const [unit, seconds] = UNITS.find(([, seconds]) => to < 90 * seconds) ?? UNITS.at(-1);
  const early = Math.floor(secondsBetween(new Date(now), range.earliest) / seconds);
  const late = Math.ceil(to / seconds);
  if (early < 1) return `within ${late} ${unit}`;
  return early === late ? `in ${late} ${unit}` : `in ${early} to ${late} ${unit}`;
}

/** Rewrites every time below `root`; the server wrote them in UTC. */
export function localizeTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const write = "zoned" in element.dataset ? zonedText : clockText;
    element.textContent = write(element.dateTime);
    element.title = fullText(element.dateTime);
  }
  for (const element of root.querySelectorAll("time[data-utc]")) {
    const at = new Date(`${new Date().toISOString().slice(0, 10)}T${element.dataset.utc}Z`);
    element.textContent = `${at.toLocaleTimeString(undefined, CLOCK)} ${shortZone(at)}`;
  }
  for (const element of root.querySelectorAll("[title*=' UTC']")) element.title = localSentence(element.title);
}
