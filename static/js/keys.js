// Keys of the desk. Single letters do nothing in fields and in dialogs, and can be switched off in the menu; the
// browser keeps that setting. What a key opens stands in the page as a link: data-key="t", data-key="n", rel="prev".
(() => {
  const SETTING = "desk-keys";
  const help = document.getElementById("keys-help");
  const box = document.querySelector("[data-keys-switch]");

  // Storage may be forbidden: then the keys are on, and the setting lasts as long as the page.
  const stored = () => {
    try {
      return window.localStorage.getItem(SETTING);
    } catch {
      return null;
    }
  };
  let on = stored() !== "off";
  const show = () => {
    document.body.classList.toggle("keys-off", !on);
    if (box) box.checked = on;
  };
  show();
  box?.addEventListener("change", () => {
    on = box.checked;
    try {
      window.localStorage.setItem(SETTING, on ? "on" : "off");
    } catch {
      // As above.
    }
    show();
  });

  const open = (...selectors) => (event) => {
    const link = selectors.map((selector) => document.querySelector(selector)).find(Boolean);
    if (!link) return;
    event.preventDefault();
    link.click();
  };
  const search = (event) => {
    const field = document.getElementById("patient-search");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  };
  const explain = () => help?.showModal();
  const actions = {
    "/": search,
    t: open("main [data-key=t]", "[data-key=t]"),
    n: open("[data-key=n]"),
    b: open("main [data-key=b]"),
    v: open("main [data-key=v]"),
    ArrowLeft: open("main a[rel=prev]"),
    ArrowRight: open("main a[rel=next]"),
    "?": explain,
  };
  // Not "in a dialog": one that has just been closed may keep the focus until the browser next draws.
  const typing = (target) =>
    target.isContentEditable || target.matches("input, select, textarea") || target.closest("[role=menu]");

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.key === "Escape") {
      const menu = target.closest("details.menu[open]");
      if (!menu) return;
      menu.open = false;
      menu.querySelector("summary").focus();
      return;
    }
    // The press that a page is about, also from inside a field; a line break in a long text is no press.
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
      const button = (document.querySelector("dialog[open]") ?? document).querySelector("[data-press]");
      if (!button) return;
      event.preventDefault();
      button.click();
      return;
    }
    const action = Object.hasOwn(actions, event.key) && actions[event.key];
    if (!action || !on || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.repeat || typing(target) || document.querySelector("dialog[open]")) return;
    // Arrows scroll what was made focusable in order to be scrolled.
    if (event.key.startsWith("Arrow") && target.matches("[data-scrolls]")) return;
    action(event);
  });

  document.querySelector("[data-keys-help]")?.addEventListener("click", explain);
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
})();
