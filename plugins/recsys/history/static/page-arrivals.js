// What arrived with each run.
import { get } from "./api.js";
import { chart, COLOURS, seconds } from "./chart.js";
import { badge, el, table } from "./dom.js";
import { downloads, runLink, thinned } from "./parts.js";
import { moment, number } from "./words.js";

const SHOWN = { new_media: "new media", arrivals: "arrivals: items that nobody has taken yet", refused: "files refused" };

export async function show(dataset) {
  const answer = await get("arrivals", { dataset });
  const { rows } = answer;
  const series = Object.entries(SHOWN).map(([key, label], index) => ({
    label, colour: COLOURS[index], points: rows.map((row) => ({ at: seconds(row.started_at), value: row[key] })),
  }));
  const count = (key, title) => ({ title, number: true, cell: (row) => number(row[key]) });
  return [
    el("h1", {}, `Arrivals of ${dataset}`),
    rows.length ? await chart("What arrived with each run", series) : null,
    thinned(answer),
    table("Runs, the newest first", [
      { title: "Started", class: "nowrap", cell: (row) => moment(row.started_at) },
      { title: "Run", cell: (row) => runLink(dataset, row.run) },
      { title: "Status", cell: (row) => badge(row.status) },
      count("items", "Items"), count("new_media", "New media"), count("arrivals", "Arrivals"),
      count("new_users", "Other users"), count("refused", "Files refused"),
    ], [...rows].reverse(), "no run has recorded its counts yet."),
    downloads("arrivals", { dataset }),
  ];
}
