"""
# Going back to an earlier release

Makes an earlier release of a dataset the one that is served, once every file of it was read. Nothing is trained and
nothing is copied. The next night is compared with this release, and a night on the same inputs is skipped.

It runs only when somebody starts it: with the button *Roll back* of the page *Recommender* (Browse, *Releases*), or
with *Trigger* and the name of a release; without a name it goes back to the release that was served before. It is the
command `rollback`, and moves what is served by the same compare-and-swap as a night does.

## When this fails

* **rollback** (exit code 2): there is no such dataset or release; the last line of the log names those there are.
* **anything else**: a fault, tried four times: a file of the release is damaged (choose another), the store or the
  database could not be reached, or another release was served at the same moment. What is served does not change by a
  try that failed.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag
from recsys import form
from recsys.alerts.callbacks import tell_failed_run
from recsys.launch.container import DEFAULTS, container


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,  # of two at once one would lose the swap
    dagrun_timeout=timedelta(hours=3),
    default_args=DEFAULTS,
    on_failure_callback=tell_failed_run,
    params=form.ROLL_BACK,
    doc_md=__doc__,
    is_paused_upon_creation=False,  # it is for an emergency, in which nobody should have to look for a switch
    tags=["recsys"],
)
def roll_back() -> None:
    """Define the one task."""
    container(
        *("rollback", "--dataset", "{{ params.dataset }}"),
        "--release={{ params.release }}",  # nothing is the one before; one word, whatever a name begins with
    )


roll_back()
