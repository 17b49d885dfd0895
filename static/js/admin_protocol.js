// The form of a protocol: the preview follows what scripts of the admin change, and "only for" suggests the overrides.
(() => {
  const list = () => document.getElementById("override-names");

  const suggest = () => {
    const names = [...document.querySelectorAll("input[name^=overrides-][name$=-name]")]
      .filter((input) => !input.name.includes("__prefix__"))
      .map((input) => input.value.trim())
      .filter(Boolean);
    list()?.replaceChildren(
      ...[...new Set(names)].map((name) => {
        const option = document.createElement("option");
        option.value = name;
        return option;
      }),
    );
  };

  const look = () => document.body.dispatchEvent(new CustomEvent("look"));

  document.addEventListener("DOMContentLoaded", () => {
    suggest();
    // The search box for concerns tells jQuery alone that it changed.
    window.django?.jQuery(document).on("select2:select select2:unselect", look);
  });
  document.addEventListener("input", suggest);
  for (const change of ["formset:added", "formset:removed"]) {
    document.addEventListener(change, () => {
      suggest();
      look();
    });
  }
})();
