// Chooses the page by its address, and the dataset: that of the address, or the one that ran last.
import { get, query } from "./api.js";
import { address, el } from "./dom.js";

const PAGES = {
  "": "Overview", metrics: "Metrics", runs: "Runs", validation: "Validation", releases: "Releases",
  arrivals: "Arrivals", alerts: "Alerts", comparisons: "Comparisons",
};
const name = location.pathname.split("/").pop();

async function start() {
  const main = document.querySelector("main");
  try {
    const { rows } = await get("datasets");
    const newest = [...rows].sort((a, b) => b.last_started.localeCompare(a.last_started))[0];
    const dataset = query.get("dataset") ?? (await datasetOfRun()) ?? newest?.dataset;
    fillHeader(rows, dataset);
    if (!dataset) {
      main.replaceChildren(el("h1", {}, "Recommender"),
        el("p", {}, "No run has been recorded yet: trigger the DAG retrain_nightly, and come back."));
      return;
    }
    const page = await import(`./page-${name || "overview"}.js`);
    const content = await page.show(dataset);
    document.title = `${content[0].textContent} · ${dataset}`;
    main.replaceChildren(...content.flat().filter(Boolean));
  } catch (error) {
    main.replaceChildren(el("h1", {}, "This page could not be shown"), el("p", { role: "alert" }, error.message));
  } finally {
    main.setAttribute("aria-busy", "false");
  }
}

async function datasetOfRun() {
  if (!["run", "validation"].includes(name) || !query.get("run")) return null;
  return (await get("run", { run: query.get("run") }).catch(() => null))?.run.dataset ?? null;
}

function fillHeader(rows, dataset) {
  const here = name === "run" ? "runs" : name;
  document.querySelector("nav").append(...Object.entries(PAGES).map(([page, title]) =>
    el("a", { href: address(page, { dataset }), "aria-current": page === here && "page" }, title)));
  const select = document.querySelector("#dataset");
  select.append(...rows.map((row) => el("option", { value: row.dataset, selected: row.dataset === dataset }, row.dataset)));
  select.addEventListener("change", () => location.assign(address(here, { dataset: select.value })));
}

start();
