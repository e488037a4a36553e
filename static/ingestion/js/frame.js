// What every page has: the scheme switch, the menu on a phone, times in the reader's zone.
import { localizeTimes, zoneName } from "./times.js";

const SCHEMES = ["auto", "light", "dark"];
const switchButton = document.getElementById("scheme");

function scheme() {
  return localStorage.getItem("theme") ?? "auto";
}

function applyScheme(name) {
  if (name === "auto") {
    localStorage.removeItem("theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("theme", name);
    document.documentElement.dataset.theme = name;
  }
  document.dispatchEvent(new CustomEvent("scheme-changed"));
}

function showScheme() {
  switchButton.textContent = { auto: "◐", light: "☀", dark: "☾" }[scheme()];
  switchButton.setAttribute("aria-label", `Colors: ${scheme()}. Change.`);
  switchButton.title = `Colors: ${scheme()}`;
}

switchButton.addEventListener("click", () => {
  applyScheme(SCHEMES[(SCHEMES.indexOf(scheme()) + 1) % SCHEMES.length]);
  showScheme();
});
showScheme();

const menu = document.getElementById("menu");
menu?.addEventListener("click", () => {
  const isOpen = document.getElementById("main-menu").classList.toggle("is-open");
  menu.setAttribute("aria-expanded", String(isOpen));
});

for (const zone of document.querySelectorAll("[data-zone]")) zone.textContent = zoneName();
localizeTimes(document);
document.addEventListener("htmx:afterSwap", (event) => localizeTimes(event.target));
document.addEventListener("htmx:historyRestore", () => localizeTimes(document));

// Filters by day mean the reader's days.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const input of document.querySelectorAll('form.filters input[name="zone"]')) input.value = zone;

/** A part that an address names is opened. */
function openNamed() {
  const named = location.hash && document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) named.open = true;
}
addEventListener("hashchange", openNamed);
openNamed();
