// Before anything is painted: the theme that the reader has chosen, or the system's.
(function () {
  var chosen = "auto";
  try {
    chosen = localStorage.getItem("fairlead-theme") || "auto";
  } catch {
    // Storage may be closed; then the system's theme it is.
  }
  var dark =
    chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
