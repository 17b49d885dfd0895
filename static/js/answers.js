// Every action has an answer: a request of htmx that failed says so in the page's live region.
(() => {
  const tell = () => {
    const region = document.getElementById("messages");
    const message = document.createElement("div");
    message.className = "message message-error";
    message.textContent = region.dataset.failed;
    region.replaceChildren(message);
    region.scrollIntoView({ block: "nearest" });
  };
  for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(failure, tell);
  }
})();
