// One run: how much of the data each step kept, what was not met, its models and the decision.
import { get, query } from "./api.js";
import { badge, el, link, outside, table } from "./dom.js";
import { checks } from "./parts.js";
import { figure, moment, number } from "./words.js";

export async function show(dataset) {
  if (!query.get("run")) return [el("h1", {}, "No run was named"), el("p", {}, link("runs", { dataset }, "All runs"))];
  const { run, counts, metrics, checks: checked, unmet } = await get("run", { run: query.get("run") });
  const of = (step) => Object.fromEntries(counts.filter((row) => row.step === step).map((row) => [row.name, row.value]));
  return [
    el("h1", {}, run.run, " ", badge(run.status)),
    el("p", {}, `${moment(run.started_at)} to ${moment(run.finished_at)}`, run.url ? [" · ", outside(run.url, "this run in Airflow")] : null),
    run.outcome ? el("p", { class: "card" }, badge(run.outcome), ` ${run.model}: ${run.gate?.reason ?? ""}`, run.answered_by ? ` Answered by ${run.answered_by}.` : "") : null,
    el("h2", {}, "Items, step by step"), funnel(items(of, counts)),
    el("h2", {}, "Interactions, step by step"), funnel(interactions(of)),
    el("details", {}, el("summary", {}, "Everything that was counted"), table("Counts", [
      { title: "Step", cell: (row) => row.step }, { title: "Count", cell: (row) => row.name },
      { title: "Value", number: true, cell: (row) => number(row.value) }], counts)),
    el("h2", {}, "Checks"), checks(`${unmet.length} of ${checked} expectations were not met`, run.dataset, unmet),
    checked ? el("p", {}, link("validation", { dataset: run.dataset, run: run.run }, "All expectations of this run")) : null,
    el("h2", {}, "Models"), models(metrics),
  ];
}

function items(of, counts) {
  const scan = of("scan");
  const steps = [["Items with media", scan.names], ["new media among them", scan.new_media, true]];
  for (const step of [...new Set(counts.map((row) => row.step))].filter((name) => name.startsWith("extract-"))) {
    const name = step.slice(8);
    steps.push([`${name}: encoded`, of(step).kept], [`${name}: files refused`, of(step).rejected, true]);
  }
  const prepare = of("prepare");
  steps.push(["Aligned", of("align").kept]);
  const trained = Object.entries(prepare).find(([name]) => name === "items_trained" || /^items_in_\d+_core$/.test(name));
  if (trained) steps.push(["Trained on", prepare.items_trained ?? trained[1]], ["Arrivals, from content alone", prepare.arrivals, true]);
  steps.push(["In the release", of("publish").items]);
  return steps.filter(([, value]) => value !== undefined);
}

function interactions(of) {
  const prepare = of("prepare");
  const words = { before: "In the log", with_features: "with items that have features", trained: "Trained and tested on" };
  const named = (stage) => words[stage] ?? stage.replace(/^in_(\d+)_core$/, "in the $1-core");
  return Object.entries(prepare).filter(([name]) => /^interactions_(?!outside)/.test(name))
    .map(([name, value]) => [named(name.slice(13)), value]);
}

function funnel(steps) {
  if (!steps.length) return el("p", { class: "muted" }, "This run did not come as far, or is of a version that did not record counts.");
  const most = Math.max(...steps.map(([, value]) => value), 1);
  return el("div", { class: "funnel", role: "list" }, steps.flatMap(([title, value, aside]) => {
    const bar = el("div", { class: "bar" });
    bar.style.width = `${(100 * value) / most}%`;
    if (aside) bar.style.opacity = "0.5";
    return [el("span", { role: "listitem", class: aside ? "muted" : "" }, title), el("div", { class: "track", "aria-hidden": "true" }, bar), el("span", { class: "number" }, number(value))];
  }));
}

function models(metrics) {
  const of = new Map();
  for (const row of metrics) {
    if (!of.has(row.model)) of.set(row.model, { model: row.model, encoder: row.encoder, attempt: row.attempt });
    if (row.metric) of.get(row.model)[`${row.split} ${row.metric}`] = row.value;
  }
  const rows = [...of.values()].sort((a, b) => (b["valid ndcg"] ?? 0) - (a["valid ndcg"] ?? 0));
  const column = (key, title) => ({ title, number: true, cell: (row) => figure(row[key]) });
  return table("Models, the best on validation first", [
    { title: "Model", cell: (row) => row.model }, column("valid ndcg", "NDCG@20 valid"), column("test ndcg", "NDCG@20 test"),
    column("test recall", "Recall@20 test"), { title: "Encoder", cell: (row) => row.encoder },
    { title: "Trainings", number: true, cell: (row) => row.attempt }], rows);
}
