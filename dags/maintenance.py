"""
# Keeping house

Runs every ten minutes. `send_alerts` tells of datasets without a good release for too long, and sends the messages that
could not be sent before (`rec.alert` has them all). Once a day, in the first run after 04:00 UTC and in a run that
somebody starts with *Trigger*, `housekeeping` lets these go, which do not wait for each other:

* **verify** reads every file of every release and compares it with its manifest.
* **gc** marks what nothing refers to any more, and removes what was marked two days ago or earlier and still is
  garbage. Its log says of everything why it is kept, marked or removed.
* **compact-cache** joins many small parts of the embedding caches to few large ones.
* **airflow_is_clean** looks whether the service `airflow-clean` has removed old runs from Airflow's database, and old
  logs; tasks may not do that themselves. It is *skipped* where there is no such service.

In all other runs they are *skipped*. Of failed runs with the same failure, one message a day is sent.

## When this fails

* **send_alerts**: the metrics database did not answer. A channel that does not take a message ends no task: the log,
  `rec.alert` and the page *Alerts* say why, and it is tried again. Nothing is lost.
* **verify** (exit code 10): the log and the email name each damaged file. If it is of the release that is served, go
  back (`rollback`). Publish the run again, which writes its release anew.
* **gc**, **compact-cache**: the store or the metrics database could not be reached (tried four times), or a part of a
  cache is damaged, which the last line names. Nothing that is referred to was removed; the next day continues.
* **airflow_is_clean**: the service has failed, or has not run for days. `docker compose logs airflow-clean` says why.

Settings, in the environment of the tasks: RECSYS_KEEP_RELEASES, RECSYS_KEEP_DAYS and RECSYS_GC_GRACE; of the service:
RECSYS_KEEP_AIRFLOW_DAYS.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from recsys import form
from recsys.alerts.callbacks import tell_failed_run, tell_recovery
from recsys.cleaning import require_clean
from recsys.daily import require_due
from recsys.launch.container import DEFAULTS, container
from recsys.launch.outcome import RETRIES
from recsys.launch.parameters import refuse_unknown


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,  # one run a day keeps house, however many were missed
    max_active_runs=1,  # two runs would remove the same
    dagrun_timeout=timedelta(hours=5),
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=4)},  # reading all releases takes long
    on_failure_callback=tell_failed_run,
    on_success_callback=tell_recovery,
    params=form.MAINTENANCE,
    doc_md=__doc__,
    tags=["recsys"],
)
def maintenance() -> None:
    """Define the tasks; those of a day follow `housekeeping`."""

    @task(retry_policy=RETRIES)
    def send_alerts() -> None:
        # Every DAG file is parsed often, and what sends is needed when it does.
        from recsys.alerts.post import send_due  # noqa: PLC0415
        from recsys.alerts.sweep import sweep  # noqa: PLC0415

        sweep()
        send_due()

    @task(pre_execute=refuse_unknown)
    def housekeeping(**context: Any) -> None:  # noqa: ANN401  Airflow's own types
        require_due(context)  # type: ignore[arg-type]  it is a Context

    @task(retry_policy=RETRIES)
    def airflow_is_clean(**context: Any) -> None:  # noqa: ANN401  Airflow's own types
        require_clean(context)  # type: ignore[arg-type]  it is a Context

    send_alerts()
    housekeeping() >> [
        container("verify"),
        container("gc", "--delete"),
        container("compact-cache"),
        airflow_is_clean(),
    ]


maintenance()
