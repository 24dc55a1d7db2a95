// What people were told, the newest first.
import { get, query } from "./api.js";
import { el, link } from "./dom.js";
import { alerts, downloads } from "./parts.js";

const SIZE = 50;

export async function show(dataset) {
  const offset = Math.max(0, Number(query.get("offset")) || 0);
  const { rows } = await get("alerts", { dataset, limit: SIZE, offset });
  return [
    el("h1", {}, `Alerts of ${dataset}`),
    alerts("Messages about it and about Airflow itself, the newest first", dataset, rows),
    el("p", { class: "row" },
      offset > 0 ? link("alerts", { dataset, offset: Math.max(0, offset - SIZE) }, "Newer alerts") : null,
      rows.length === SIZE ? link("alerts", { dataset, offset: offset + SIZE }, "Older alerts") : null),
    downloads("alerts", { dataset, limit: 500, offset }),
  ];
}
