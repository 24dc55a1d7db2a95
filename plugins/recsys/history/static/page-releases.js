// Releases, when each was served, how two differ, and the way back to an earlier one.
import { get, query } from "./api.js";
import { badge, el, link, table } from "./dom.js";
import { downloads, runLink } from "./parts.js";
import { rollBack } from "./rollback.js";
import { change, figure, moment, number } from "./words.js";

export async function show(dataset) {
  const [{ rows, moves }, me] = await Promise.all([get("releases", { dataset }), get("me")]);
  const served = rows.find((row) => row.served);
  const one = query.get("one");
  const other = query.get("other") ?? served?.release;
  return [
    el("h1", {}, `Releases of ${dataset}`),
    one && other ? await difference(dataset, one, other) : null,
    query.get("release") ? await rollBack(dataset, query.get("release"), served, me) : null,
    table("Releases, the newest first", [
      { title: "Release", cell: (row) => el("span", { class: "nowrap" }, el("span", { class: "id" }, row.release), row.served ? " " : null, row.served ? badge("served") : null) },
      { title: "Roll back", class: "nowrap", cell: (row) => (row.served || !row.since ? "–" : link("releases", { dataset, release: row.release }, "go back to it")) },
      { title: "Compare", class: "nowrap", cell: (row) => (row.served || !served ? before(dataset, row) : el("span", {}, link("releases", { dataset, one: row.release, other: served.release }, "with the served"), " · ", before(dataset, row))) },
      { title: "Model", cell: (row) => row.model },
      { title: "Published", class: "nowrap", cell: (row) => moment(row.created_at) },
      { title: "Last served", class: "nowrap", cell: (row) => (row.since ? `${moment(row.since)} – ${row.until ? moment(row.until) : "now"}` : "never") },
      { title: "Why", class: "wide", cell: (row) => row.why ?? "–" },
      { title: "Run", cell: (row) => runLink(dataset, row.run) },
    ], rows, "no run has published one yet."),
    downloads("releases", { dataset }),
    el("h2", {}, "What was served when"),
    table("Moves, the newest first", [
      { title: "From", class: "nowrap", cell: (row) => moment(row.since) },
      { title: "Until", class: "nowrap", cell: (row) => (row.until ? moment(row.until) : "now") },
      { title: "How", cell: (row) => badge(row.reason) },
      { title: "Release", class: "id", cell: (row) => row.release },
      { title: "Model", cell: (row) => row.model },
      { title: "Instead of", class: "id", cell: (row) => row.previous ?? "–" },
    ], moves),
  ];
}

async function difference(dataset, one, other) {
  const found = await get("diff", { dataset, one, other });
  const beside = (write) => [
    { title: one, number: true, cell: (row) => write(row.one) },
    { title: other, number: true, cell: (row) => write(row.other) },
    { title: "Change", number: true, cell: (row) => change(row.other, row.one, write) },
  ];
  return el("section", { "aria-label": "Difference" }, el("h2", {}, `From ${one} to ${other}`),
    el("p", {}, `Model ${found.one.model} of run ${found.one.run}, then ${found.other.model} of run ${found.other.run}.`),
    people(found.changes),
    table("Metrics", [{ title: "Metric", cell: (row) => `${row.metric}@${row.k} on ${row.split}` }, ...beside(figure)], found.metrics.filter((row) => row.k === 20)),
    table("Counts", [{ title: "Step", cell: (row) => row.step }, { title: "Count", cell: (row) => row.name }, ...beside(number)], found.counts.filter((row) => row.one !== row.other), "the same."));
}

// With what was served before it was.
function before(dataset, row) {
  return row.previous ? link("releases", { dataset, one: row.previous, other: row.release }, "with the one before") : "–";
}

function people(changes) {
  if (!changes) {
    return el("p", { class: "muted" }, "What changed for people is recorded between a release and the one that was served when it was made: choose two that followed each other.");
  }
  const kept = changes.kept === null ? "no user is in both" : `${(100 * changes.kept).toFixed(1)} % of the first 20 items of ${number(changes.users_compared)} users stayed`;
  return el("div", {},
    el("p", {}, `Recommendations: ${kept}. Items: ${number(changes.items_new)} new, ${number(changes.items_gone)} gone. Users: ${number(changes.users_new)} new, ${number(changes.users_gone)} gone.`),
    table("Users whose lists changed most", [
      { title: "User", class: "id", cell: (row) => row.user },
      { title: "Came", class: "id ids", cell: (row) => row.came.join(", ") || "–" },
      { title: "Went", class: "id ids", cell: (row) => row.went.join(", ") || "–" },
    ], changes.examples, "every list is the same."));
}
