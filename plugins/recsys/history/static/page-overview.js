// Which model serves, since when and why; what changed last night; what failed; how to go back.
import { get } from "./api.js";
import { badge, el, link, outside, table } from "./dom.js";
import { alerts, checks, runLink } from "./parts.js";
import { age, change, moment, number } from "./words.js";

export async function show(dataset) {
  const { served, last, unmet, alerts: open, failed = [], counts = [] } = await get("overview", { dataset });
  const moved = counts.filter((row) => row.before === null || row.before !== row.value);
  return [
    el("h1", {}, `Recommender of ${dataset}`),
    el("div", { class: "cards" }, servedCard(dataset, served), last ? runCard(dataset, last, counts) : null),
    open.length ? [el("h2", {}, "What is wrong now"), alerts("Alerts that are not settled", dataset, open)] : null,
    el("h2", {}, "What failed in the last run"),
    checks("Expectations that were not met", dataset, failed),
    el("details", {}, el("summary", {}, "What failed before"), checks("Expectations that were not met in the last five runs with any", dataset, unmet)),
    el("h2", {}, "What changed in the last run"),
    table("Counts of each step beside the run before it that came as far", [
      { title: "Step", cell: (row) => row.step },
      { title: "Count", cell: (row) => row.name },
      { title: "Before", number: true, cell: (row) => number(row.before) },
      { title: "Last run", number: true, cell: (row) => number(row.value) },
      { title: "Change", number: true, cell: (row) => change(row.value, row.before, number) },
    ], moved, "nothing else than before."),
  ];
}

function servedCard(dataset, served) {
  if (!served) {
    return el("section", { class: "card", "aria-label": "Served" }, el("h2", {}, "Nothing is served yet"),
      el("p", {}, "The first run that passes every check publishes a release."));
  }
  const how = served.how === "promoted" ? "It was promoted" : "Somebody rolled back to it";
  return el("section", { class: "card", "aria-label": "Served" },
    el("p", { class: "muted" }, "Served now"),
    el("p", { class: "big" }, served.model),
    el("dl", {},
      ...entry("Release", el("span", { class: "id" }, served.release)),
      ...entry("Since", `${moment(served.since)} (${age(served.since)})`),
      ...entry("From run", runLink(dataset, served.run)),
      ...entry("Why", `${how}: ${served.why ?? "the reason was not recorded"}`),
      ...(served.answered_by ? entry("Approved by", served.answered_by) : []),
      ...(served.previous ? entry("Before it", el("span", { class: "id" }, served.previous)) : [])),
    el("p", {}, link("metrics", { dataset, model: served.model }, `Metrics of ${served.model} over time`), " · ",
      link("releases", { dataset }, "Go back to an earlier release")));
}

function runCard(dataset, run, counts) {
  const sum = (step, name) => counts.filter((row) => row.step.startsWith(step) && row.name === name).reduce((all, row) => all + row.value, 0);
  const arrived = [`${number(sum("scan", "new_media"))} new media`, `${number(sum("prepare", "arrivals"))} items nobody has taken yet`, `${number(sum("extract-", "rejected"))} files refused`];
  return el("section", { class: "card", "aria-label": "Last run" },
    el("p", { class: "muted" }, "Last run"),
    el("p", { class: "big" }, badge(run.status), " ", moment(run.started_at)),
    el("dl", {},
      ...entry("Run", runLink(dataset, run.run)),
      ...(run.outcome ? entry("Decision", `${run.model} was ${run.outcome}: ${run.reason}`) : []),
      ...(counts.length ? entry("Arrived", arrived.join(", ")) : []),
      ...entry("Checks", run.suites ? `${run.suites} suites, ${number(run.failed)} failed, ${number(run.warned)} warnings` : "none"),
      ...entry("Models", number(run.models))),
    run.url ? el("p", {}, outside(run.url, "This run in Airflow")) : null);
}

const entry = (term, text) => [el("dt", {}, term), el("dd", {}, text)];
