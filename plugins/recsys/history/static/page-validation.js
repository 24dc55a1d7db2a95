// Every expectation of a run with its ids, and one of them over time beside its bounds.
import { get, query } from "./api.js";
import { chart, COLOURS, seconds } from "./chart.js";
import { badge, el, table } from "./dom.js";
import { checks, downloads, runLink, thinned } from "./parts.js";
import { figure, moment } from "./words.js";

export async function show(dataset) {
  const { rows, run } = await get("validation", { dataset, run: query.get("run") });
  const content = [el("h1", {}, `Validation of ${dataset}`)];
  const expectation = query.get("expectation");
  if (expectation) content.push(...await trend(dataset, query.get("suite"), expectation, query.get("column")));
  if (!run) return [...content, el("p", {}, "No run has been checked yet.")];
  content.push(el("h2", {}, "Expectations of one run"), el("p", {}, "Run ", runLink(dataset, run)));
  if (!rows.length) return [...content, el("p", {}, "Nothing of this run has been checked: it ended before its checks.")];
  return [...content,
    checks(`${rows.filter((row) => !row.success).length} of ${rows.length} were not met; each name leads to its trend`, dataset, rows),
    downloads("validation", { dataset, run })];
}

async function trend(dataset, suite, expectation, column) {
  const parameters = { dataset, suite, expectation, column };
  const answer = await get("trend", parameters);
  const { rows } = answer;
  const points = (key) => rows.map((row) => ({ at: seconds(row.started_at), value: row[key] }));
  const bound = (key, label) => ({ label, points: points(key), colour: "#d64545", dash: [6, 4] });
  const series = [{ label: "observed", points: points("value"), colour: COLOURS[0] }];
  if (rows.some((row) => row.least !== null)) series.push(bound("least", "at least"));
  if (rows.some((row) => row.most !== null)) series.push(bound("most", "at most"));
  const failures = rows.filter((row) => !row.success).map((row) => ({ at: seconds(row.started_at), kind: "failed" }));
  return [
    el("h2", {}, `${expectation} of ${column ?? suite}`),
    await chart(`${expectation} over time`, series, { events: failures }),
    thinned(answer),
    downloads("trend", parameters),
    el("details", {}, el("summary", {}, "All observed values"), table("Observed", [
      { title: "Run started", class: "nowrap", cell: (row) => moment(row.started_at) },
      { title: "Run", cell: (row) => runLink(dataset, row.run) },
      { title: "Result", cell: (row) => badge(row.success ? "met" : "not met") },
      { title: "Value", number: true, cell: (row) => figure(row.value) },
      { title: "At least", number: true, cell: (row) => figure(row.least) },
      { title: "At most", number: true, cell: (row) => figure(row.most) },
      { title: "Observed", class: "wide", cell: (row) => row.observed },
    ], [...rows].reverse())),
  ];
}
