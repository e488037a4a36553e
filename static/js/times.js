// Times in the reader's zone, and spans of time in words.
const SAME_DAY = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const OTHER_DAY = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const FULL = { dateStyle: "medium", timeStyle: "long" };

export function zoneName() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const parts = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(new Date());
  const short = parts.find((part) => part.type === "timeZoneName")?.value;
  return short && short !== zone ? `${zone} (${short})` : zone;
}

/** "14:05:09" today, "3 Nov 14:05" on another day, with the year in another year. */
export function clockText(iso, now = new Date()) {
  if (!iso) return "";
  const when = new Date(iso);
  if (when.toDateString() === now.toDateString()) return when.toLocaleTimeString(undefined, SAME_DAY);
  const year = when.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return when.toLocaleString(undefined, { ...OTHER_DAY, ...year });
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

/** Rewrites every <time datetime> below `root`; the server wrote them in UTC. */
export function localizeTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    element.textContent = clockText(element.dateTime);
    element.title = fullText(element.dateTime);
  }
}
