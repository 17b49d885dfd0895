// Search results by keyboard: arrow keys go from the box to the first result, along the results, and back.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const box = document.querySelector("[data-results-box] input[type=search]");
  const stops = [box, ...document.querySelectorAll("[data-results] a")];
  const here = stops.indexOf(document.activeElement);
  if (here === -1) return;
  const next = stops[here + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
});
