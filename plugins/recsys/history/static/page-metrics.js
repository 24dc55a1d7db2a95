// One metric of each model over time, with releases, rollbacks and rejections as upright lines.
import { get, query } from "./api.js";
import { chart, COLOURS, seconds } from "./chart.js";
import { address, el, table } from "./dom.js";
import { choice, downloads, events as eventTable, runLink, thinned } from "./parts.js";
import { change, figure, moment } from "./words.js";

const DAYS = { 30: "30 days", 90: "90 days", 365: "a year", "": "everything" };

export async function show(dataset) {
  const choices = await get("choices", { dataset });
  const label = query.get("metric") ?? "ndcg@20";
  const [metric, k] = label.split("@");
  const chosen = { dataset, metric, k, split: query.get("split") ?? "test", segment: query.get("segment") ?? "all" };
  const models = query.getAll("model");
  const days = query.get("days") ?? "";
  const since = days ? new Date(Date.now() - days * 86400000).toISOString() : undefined;
  const parameters = { ...chosen, model: models, since };
  const answer = await get("metrics", parameters);
  const title = `${label} on ${chosen.split}${chosen.segment === "all" ? "" : `, segment ${chosen.segment}`}`;
  return [
    el("h1", {}, `Metrics of ${dataset}`),
    form(choices, chosen, label, models, days),
    el("h2", {}, title),
    await chart(`${title} of each model over time`, lines(answer.rows, choices.models), { events: answer.events.map((one) => ({ at: seconds(one.at), kind: one.kind })) }),
    answer.rows.some((row) => row.low !== null) ? el("p", { class: "muted" }, "Bands are 95 % intervals of the mean over users; shown for up to three models.") : null,
    thinned(answer),
    summary(answer.rows),
    downloads("metrics", parameters),
    el("h2", {}, "Events"), eventTable(answer.events.slice(0, 40), dataset),
    el("details", {}, el("summary", {}, "All figures"), figures(dataset, [...answer.rows].reverse().slice(0, 500))),
  ];
}

function lines(rows, models) {
  const of = new Map();
  for (const row of rows) {
    if (!of.has(row.model)) of.set(row.model, []);
    of.get(row.model).push({ at: seconds(row.started_at), value: row.value, low: row.low, high: row.high });
  }
  return [...of].map(([model, points]) => ({
    label: model, points, colour: COLOURS[Math.max(models.indexOf(model), 0) % COLOURS.length],
    band: of.size <= 3 && points.some((point) => point.low !== null),
  }));
}

function form(choices, chosen, label, models, days) {
  const metrics = choices.metrics.map((one) => `${one.metric}@${one.k}`);
  const box = (model) => el("label", {}, el("input", { type: "checkbox", name: "model", value: model, checked: models.includes(model), onchange: (event) => event.target.form.requestSubmit() }), ` ${model}`);
  return el("form", { action: address("metrics", {}).replace("?", ""), method: "get", "aria-label": "What is shown" },
    el("input", { type: "hidden", name: "dataset", value: chosen.dataset }),
    choice("metric", "Metric", metrics, label), choice("split", "Split", choices.splits, chosen.split),
    choice("segment", "Segment", choices.segments, chosen.segment),
    choice("days", "Since", Object.keys(DAYS), days, (value) => DAYS[value]),
    el("fieldset", {}, el("legend", {}, "Models (none: all)"), choices.models.map(box)),
    el("button", {}, "Show"));
}

function summary(rows) {
  const of = Map.groupBy ? Map.groupBy(rows, (row) => row.model) : group(rows);
  const ends = [...of].map(([model, points]) => ({ model, points, first: points[0], last: points[points.length - 1] }));
  ends.sort((a, b) => b.last.value - a.last.value);
  return table("First and last run shown, the best model first", [
    { title: "Model", cell: (row) => row.model },
    { title: "First", number: true, cell: (row) => figure(row.first.value) },
    { title: "Last", number: true, cell: (row) => figure(row.last.value) },
    { title: "Change", number: true, cell: (row) => change(row.last.value, row.first.value) },
    { title: "95 % interval of the last", number: true, cell: (row) => (row.last.low === null ? "–" : `${figure(row.last.low)} to ${figure(row.last.high)}`) },
    { title: "Lowest", number: true, cell: (row) => figure(Math.min(...row.points.map((point) => point.value))) },
    { title: "Highest", number: true, cell: (row) => figure(Math.max(...row.points.map((point) => point.value))) },
    { title: "Runs", number: true, cell: (row) => row.points.length },
  ], ends, "no model has this metric in this time.");
}

function group(rows) {
  const of = new Map();
  for (const row of rows) of.set(row.model, [...(of.get(row.model) ?? []), row]);
  return of;
}

function figures(dataset, rows) {
  return table("Figures, the newest first", [
    { title: "Run started", class: "nowrap", cell: (row) => moment(row.started_at) },
    { title: "Run", cell: (row) => runLink(dataset, row.run) },
    { title: "Model", cell: (row) => row.model },
    { title: "Value", number: true, cell: (row) => figure(row.value) },
    { title: "Low", number: true, cell: (row) => figure(row.low) },
    { title: "High", number: true, cell: (row) => figure(row.high) },
  ], rows);
}
