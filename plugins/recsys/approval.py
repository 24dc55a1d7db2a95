"""The question whether a release may be served: the task `approve`, and the answer that `promote` is given.

It is asked only where `publish` left a release waiting. While it is open the task holds no slot of a worker, and what
is served stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from recsys.alerts import evidence
from recsys.alerts.letter import Letter, describe_champion, line, to_json
from recsys.alerts.lookup import LookUp
from recsys.alerts.outbox import Note
from recsys.alerts.post import announce
from recsys.closing import list_evidence, pull_decision
from recsys.decision import Decision, find
from recsys.launch.outcome import RETRIES, Failed
from recsys.links import answer_url, page_url
from recsys.markdown import escape

if TYPE_CHECKING:
    from airflow.sdk import Context

TASK = "approve"
APPROVE, REJECT = "Approve", "Reject"
ANSWERS = {APPROVE: "approved", REJECT: "rejected"}
# Time for `promote` and `announce`, with their retries, before a run without an answer would be ended by its timeout.
RESERVE = timedelta(hours=1)
LEAST = timedelta(minutes=1)
LONGEST_NAME = 100  # as `promote --by` accepts
NOT_IN_NAMES = re.compile(r"[^\w .@+'-]")  # a pod's arguments may hold $(VARIABLE), which Kubernetes would fill in
DOCUMENTATION = """\
Asks a human whether the release that `publish` made may be served, if the run needs an approval; skipped otherwise.

Answer in the tab *Required Action*. The question is open until an hour before the run's time is over, 19 hours after
its start. A release that nobody approved by then is not served. **XCom** `return_value`: the answer, by whom and when.
"""


class Approval(HITLOperator):
    """Airflow's operator for questions to humans, with the evidence of the gate as the question."""

    def execute(self, context: Context) -> Any:  # noqa: ANN401  Airflow's
        """Ask. Raises AirflowSkipException if nothing waits, and Failed if no decision is known."""
        look_up = LookUp()
        decision = find_waiting(context, look_up)
        until = last_moment(context)
        letter = compose(context, decision, until, look_up)
        self.subject, self.body = (
            line(f"Serve {decision.model} for {letter.dataset}?"),
            write_question(letter, decision),
        )
        self.response_timeout = max(until - datetime.now(UTC), LEAST)
        announce(
            Note(
                key=f"waiting/{letter.dag}/{letter.run}/{context['ti'].try_number}",
                kind="waiting",
                scope=f"{letter.dag}/{letter.dataset}",
                topic=f"waiting {letter.run}",
                dataset=letter.dataset,
                dag=letter.dag,
                run=letter.run,
                facts={"letter": to_json(letter)},
            )
        )
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        """Return the answer, who gave it and when."""
        answer = read_answer(super().execute_complete(context, event))
        self.log.info("%(answer)s by %(by)r at %(at)s", answer)
        return answer


def approval() -> Approval:
    """Return the task `approve`."""
    return Approval(
        task_id=TASK,
        subject="Serve a release?",
        options=list(ANSWERS),
        defaults=REJECT,
        response_timeout=LEAST,  # set when it asks
        doc_md=DOCUMENTATION,
        retry_policy=RETRIES,
    )


def find_waiting(context: Context, look_up: LookUp) -> Decision:
    """Return the decision with the gate's figures. Raises AirflowSkipException if it waits for no answer."""
    run = context["run_id"]
    record = look_up("the record of the decision", None, evidence.read_record, run)
    decision = pull_decision(context, record)
    if decision is None:
        raise Failed(f"the decision of run {run} is not known, expected `publish` to have recorded one")
    if not decision.waiting:
        raise AirflowSkipException(f"nobody is asked: {decision.model} was {decision.outcome}")
    return decision


def last_moment(context: Context) -> datetime:
    """Until when the question is open."""
    started = context["dag_run"].start_date or datetime.now(UTC)
    return started + (context["dag"].dagrun_timeout or timedelta(days=1)) - RESERVE


def compose(context: Context, decision: Decision, until: datetime, look_up: LookUp) -> Letter:
    """Collect what the question and the message about it say."""
    run, dag, dataset = context["run_id"], context["dag"].dag_id, str(decision.dataset)
    champion = look_up("the release that is being served", None, evidence.read_champion, dataset)
    forced = find(decision.gate, "forced") is not None
    verdict = f"The gate {'would reject' if forced else 'accepts'} {decision.model}"
    asked = f"{verdict}{', and force publishes it all the same' if forced else ''}. It is served once it is approved."
    return Letter(
        dag=dag,
        run=run,
        run_url=answer_url(dag, run, TASK),
        dataset=dataset,
        what=f"{decision.model} waits for approval",
        sentences=[
            f"{asked} No answer by {until:%Y-%m-%d %H:%M %Z} means no.",
            describe_champion(dataset, champion, run, known=not look_up.gaps),
        ],
        evidence=list_evidence(context, decision),
        links=[("History of the run", page_url("run", dataset=dataset, run=run))],
        gaps=look_up.gaps,
    )


def write_question(letter: Letter, decision: Decision) -> str:
    """Return the question in Markdown; no value can add to its layout."""
    rows = [("dataset", letter.dataset), ("run", letter.run), ("release", decision.uri or decision.release)]
    table = ["| | |", "|---|---|"]
    table += [f"| {escape(name)} | {escape(value)} |" for name, value in [*rows, *letter.evidence]]
    gaps = [f"Not available: {escape(gap)}" for gap in letter.gaps]
    return "\n\n".join([*map(escape, letter.sentences), "\n".join(table), *gaps])


def read_answer(response: Mapping[str, Any]) -> dict[str, str]:
    """Return `answer`, `by` and `at` of a response, as the options of `promote` take them; nobody's is empty."""
    user, moment = response["responded_by_user"], response["responded_at"]
    if user is None:
        return {"answer": "unanswered", "by": "", "at": moment.isoformat()}
    (chosen,) = response["chosen_options"]
    name = NOT_IN_NAMES.sub("_", line(user["name"] or user["id"]))[:LONGEST_NAME].strip()
    return {"answer": ANSWERS[chosen], "by": name or "unnamed", "at": moment.isoformat()}


def answer_of(ti: Any) -> Mapping[str, str]:  # noqa: ANN401  Airflow's
    """Return the answer to the question of a run. Raises AirflowFailException if there is none."""
    answer = ti.xcom_pull(task_ids=TASK)
    if not isinstance(answer, Mapping):
        raise AirflowFailException(f"task {TASK} has no answer, expected one: clear it, to ask again")
    return answer
