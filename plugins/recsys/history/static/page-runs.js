// Runs, the newest first.
import { get, query } from "./api.js";
import { badge, el, link, table } from "./dom.js";
import { downloads, runLink } from "./parts.js";
import { moment, number } from "./words.js";

const SIZE = 50;

export async function show(dataset) {
  const offset = Math.max(0, Number(query.get("offset")) || 0);
  const { rows, total } = await get("runs", { dataset, limit: SIZE, offset });
  return [
    el("h1", {}, `Runs of ${dataset}`),
    table(`${total} runs, the newest first`, [
      { title: "Started", class: "nowrap", cell: (row) => moment(row.started_at) },
      { title: "Run", cell: (row) => runLink(dataset, row.run) },
      { title: "Status", cell: (row) => badge(row.status) },
      { title: "Model", cell: (row) => row.model ?? "–" },
      { title: "Checks failed", number: true, cell: (row) => number(row.failed) },
      { title: "Warnings", number: true, cell: (row) => number(row.warned) },
      { title: "Models", number: true, cell: (row) => number(row.models) },
      { title: "Why", class: "wide", cell: (row) => row.reason ?? "–" },
    ], rows),
    el("p", { class: "row" },
      offset > 0 ? link("runs", { dataset, offset: Math.max(0, offset - SIZE) }, "Newer runs") : null,
      offset + SIZE < total ? link("runs", { dataset, offset: offset + SIZE }, "Older runs") : null),
    downloads("runs", { dataset, limit: 500, offset }),
  ];
}
