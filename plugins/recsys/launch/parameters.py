"""What a run was started with: Airflow checks the values of known parameters, and takes unknown ones in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recsys.launch.outcome import BAD_INPUT, FailedForGood, remember

if TYPE_CHECKING:
    from airflow.sdk import Context


def refuse_unknown(context: Context) -> None:
    """Before the first command of a run: raise FailedForGood if its configuration has keys that the form has not.

    No hook of Airflow sees them earlier. Later tasks do not ask again: a run from before the form lost a field can be
    continued.
    """
    task, known = context["task"], sorted(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - set(known))
    if not unknown or task.upstream_task_ids:
        return
    sentence = (
        f"unknown parameter {', '.join(unknown)} found in the run's configuration, expected some of "
        f"{', '.join(known)}: trigger a new run"
    )
    remember(context, [task.task_id], BAD_INPUT, sentence)
    raise FailedForGood(sentence)
