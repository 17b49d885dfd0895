// Every action has an answer: a request of htmx that failed says so in the page's live region, and one that was
// answered by the sign-in opens it as a page of its own.
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
  // Long work says that it is under way, and a second press meanwhile is none.
  document.addEventListener("submit", (event) => {
    const busy = event.target.querySelector("[data-busy]");
    if (!busy || event.defaultPrevented || event.submitter?.hasAttribute("formaction")) return;
    if (!busy.hidden) event.preventDefault();
    busy.hidden = false;
  });
  // Who comes back to the page finds it as it was.
  window.addEventListener("pageshow", () => {
    for (const busy of document.querySelectorAll("[data-busy]")) busy.hidden = true;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const answered = event.detail.xhr.responseURL;
    if (!answered || !new URL(answered).pathname.startsWith("/accounts/")) return;
    event.detail.shouldSwap = false;
    window.location.assign(answered);
  });
})();
