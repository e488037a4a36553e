// Runs of the history that are marked, to be run again together; the button says how many they are.
function show() {
  const button = document.getElementById("run-again");
  if (!button) return;
  const ids = [...document.querySelectorAll("input[data-run]:checked")].map((box) => Number(box.dataset.run));
  const runs = `${ids.length} selected ${ids.length === 1 ? "run" : "runs"}`;
  button.hidden = !ids.length;
  button.textContent = `Run ${runs} again`;
  button.dataset.body = JSON.stringify({ ids });
  button.dataset.says = `New syncs with the parameters and priority of the ${runs} are put into the queue; what two of them asked is done once.`;
}

document.addEventListener("change", (event) => event.target.matches("input[data-run]") && show());
document.addEventListener("htmx:afterSwap", show);
show();
