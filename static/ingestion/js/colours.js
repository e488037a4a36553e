// The style sheet's colours for what is drawn by scripts.

/** A colour of the style sheet as the browser resolves it in the scheme of now. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
