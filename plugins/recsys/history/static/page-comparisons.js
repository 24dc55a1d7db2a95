// Tables of `compare` and `tune`.
import { get, query } from "./api.js";
import { badge, el, link, table } from "./dom.js";
import { downloads, runLink } from "./parts.js";
import { figure, moment, number } from "./words.js";

export async function show(dataset) {
  const { rows } = await get("comparisons", { dataset });
  const run = query.get("run") ?? rows[0]?.run;
  return [
    el("h1", {}, `Comparisons of ${dataset}`),
    table("Comparisons, the newest first", [
      { title: "Started", class: "nowrap", cell: (row) => moment(row.started_at) },
      { title: "Dataset of run", cell: (row) => link("comparisons", { dataset, run: row.run }, el("span", { class: "id" }, row.run)) },
      { title: "Decides", cell: (row) => `${row.metric}@${row.k}` },
      { title: "Against", cell: (row) => row.against ?? "–" },
      { title: "Models", number: true, cell: (row) => number(row.models) },
      { title: "Failed trials", number: true, cell: (row) => number(row.failed) },
      { title: "State", cell: (row) => badge(row.finished_at ? "done" : "not finished") },
    ], rows, "no command `compare` has recorded one yet."),
    run ? await one(dataset, run) : null,
  ];
}

async function one(dataset, run) {
  const { rows } = await get("comparison", { run });
  return el("section", {}, el("h2", {}, "Models of ", runLink(dataset, run)),
    table("Mean over seeds; what decides comes first", [
      { title: "Model", cell: (row) => row.model }, { title: "World", cell: (row) => row.world },
      { title: "Segment", cell: (row) => row.segment }, { title: "Split", cell: (row) => row.split },
      { title: "Metric", cell: (row) => `${row.metric}@${row.k}` },
      { title: "Mean", number: true, cell: (row) => figure(row.mean) },
      { title: "± deviation", number: true, cell: (row) => figure(row.deviation) },
      { title: "Seeds", number: true, cell: (row) => row.seeds },
    ], rows.slice(0, 400), "a model of which a trial failed is left out."),
    downloads("comparison", { run }));
}
