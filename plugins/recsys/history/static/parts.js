// Parts that several pages have.
import { url } from "./api.js";
import { badge, el, link, table } from "./dom.js";
import { moment, number } from "./words.js";

export function downloads(name, parameters) {
  const entry = (form) => el("a", { class: "button", href: url(name, { ...parameters, format: form }), download: true }, form.toUpperCase());
  return el("p", { class: "row" }, el("span", { class: "muted" }, "Download"), entry("csv"), entry("json"), entry("parquet"));
}

export function checks(caption, dataset, rows) {
  return table(caption, [
    { title: "Result", cell: (row) => badge(row.success ? "met" : row.severity === "warning" ? "warning" : "not met") },
    { title: "Expectation", cell: (row) => link("validation", { dataset, run: row.run, suite: row.suite, expectation: row.expectation, column: row.column_name }, row.expectation) },
    { title: "Of", cell: (row) => row.column_name },
    { title: "Expected", class: "wide", cell: (row) => row.expected },
    { title: "Observed", class: "wide", cell: (row) => row.observed },
    { title: "Ids", class: "id ids", cell: (row) => row.sample_ids.join(", ") || "–" },
    { title: "Suite", class: "nowrap", cell: (row) => row.suite },
    { title: "Run", cell: (row) => runLink(dataset, row.run) },
  ], rows);
}

export const runLink = (dataset, run) => link("run", { dataset, run }, el("span", { class: "id" }, run));

export function choice(name, title, values, chosen, write = (value) => value) {
  return el("label", {}, `${title} `, el("select", { name, onchange: (event) => event.target.form.requestSubmit() },
    values.map((value) => el("option", { value, selected: String(value) === String(chosen) }, write(value)))));
}

export function thinned({ total, every }) {
  return every > 1 ? el("p", { class: "muted" }, `One of ${every} of the ${total} runs is shown, always the newest.`) : null;
}

export function events(rows, dataset) {
  return table("Events", [
    { title: "When", class: "nowrap", cell: (row) => moment(row.at) },
    { title: "What", cell: (row) => badge(row.kind) },
    { title: "Release", class: "id", cell: (row) => row.release ?? "–" },
    { title: "Run", cell: (row) => (row.run ? runLink(dataset, row.run) : "–") },
    { title: "Why", class: "wide", cell: (row) => row.reason ?? "–" },
  ], rows);
}

export function alerts(caption, dataset, rows) {
  return table(caption, [
    { title: "When", class: "nowrap", cell: (row) => moment(row.created_at) },
    { title: "Kind", cell: (row) => badge(row.kind) },
    { title: "What", cell: (row) => (row.what || (row.kind === "recovered" ? "all is well again" : "")) + (row.repeats ? ` (repeated ${times(row.repeats)})` : "") },
    { title: "Sent", cell: sent },
    { title: "Well again", class: "nowrap", cell: (row) => (row.kind === "recovered" ? "–" : moment(row.settled_at)) },
    { title: "Run", cell: (row) => (row.run ? runLink(dataset, row.run) : "–") },
  ], rows);
}

function times(count) {
  return count === 1 ? "once" : `${number(count)} times`;
}

function sent(row) {
  if (!row.error) return row.sent_at ? moment(row.sent_at) : "not yet";
  return `${row.sent_at ? `by some channels, ${moment(row.sent_at)}; ` : ""}tried ${times(row.failed_attempts)}: ${row.error}`;
}
