// The colour mode of Airflow, which next-themes keeps under "theme"; the page that frames this one shares its storage.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("theme") ?? "system";
    const mode = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
    document.documentElement.dataset.theme = mode;
    document.dispatchEvent(new Event("themechange"));
  };
  addEventListener("storage", (event) => event.key === "theme" && apply());
  dark.addEventListener("change", apply);
  apply();
})();
