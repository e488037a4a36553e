// Runs before the first paint, so that the chosen scheme does not flash.
(() => {
  document.documentElement.dataset.hasScripts = "";
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
