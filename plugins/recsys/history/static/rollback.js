// A rollback is a run of the DAG `roll_back`, which Airflow itself starts: with the user's login, and if they may.
import { el } from "./dom.js";

const API = "../api/v2/dags/roll_back/dagRuns";

export async function rollBack(dataset, release, served, me) {
  const command = `docker compose run --rm tasks rollback --dataset ${dataset} --release ${release}`;
  const said = el("p", { role: "status" });
  const button = el("button", { class: "primary", disabled: !me.may_roll_back, onclick: () => start(dataset, release, button, said) }, "Roll back");
  return el("section", { class: "card", "aria-label": "Roll back" },
    el("h2", {}, `Go back to ${release}?`),
    el("p", {}, `${served ? `${served.release} (${served.model}) is served now. ` : ""}Nothing is copied or trained: every file of the release is read, and then it is served instead. The next night is compared with it.`),
    me.may_roll_back ? null : el("p", {}, `You are logged in as ${me.name}, who may read runs and not start them. Ask somebody who may, or use the command.`),
    button, said,
    el("p", { class: "muted" }, "The same as a command:"), el("pre", { tabindex: "0" }, command));
}

async function start(dataset, release, button, said) {
  button.disabled = true;
  const answer = await fetch(API, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ logical_date: null, conf: { dataset, release } }),
  });
  const found = await answer.json().catch(() => ({}));
  said.textContent = answer.ok
    ? `Airflow runs it as ${found.dag_run_id}: this page shows the move as soon as it has ended.`
    : `Airflow refused it (${answer.status}): ${JSON.stringify(found.detail ?? found)}`;
  button.disabled = answer.ok;
}
