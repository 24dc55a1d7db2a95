"""What the steps of a run record: in the metrics database, or nowhere where RECSYS_METRICS_DSN is `none`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tasks.store.champion import Champion, Decision
from tasks.store.history import History, open_history, without_database
from tasks.store.values import MetricValue, require_finite

log = logging.getLogger(__name__)


class NoRecords:
    """Stands for the history in runs without a database: their metrics are in their artefacts alone.

    Nothing has been decided and nothing is served. It refuses what the history would refuse.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def start_run(self, run: str, dataset: str, config: Mapping[str, object], url: str | None = None) -> None:
        """Say once in a run that nothing is recorded."""
        log.info("RECSYS_METRICS_DSN is none: run %s of %s is kept in the store alone", run, dataset)

    def finish_run(self, run: str, status: str) -> None:
        """The status is not kept."""

    def number_inputs(self, dataset: str, state: Mapping[str, str]) -> None:
        """States are not counted."""

    def last_decision(self, dataset: str) -> Decision | None:
        """No run has been decided."""

    def champion(self, dataset: str) -> Champion | None:
        """Nothing is served."""

    def record_validation(self, run: str, report: Mapping[str, Any]) -> None:
        """The report is in the artefact of the check."""

    def record_counts(self, run: str, step: str, counts: Mapping[str, int]) -> None:
        """They are in the manifest of the step."""

    def profiles(self, run: str, suite: str) -> list[dict[str, Any]]:
        """No check has recorded any."""
        return []

    def record_training(  # noqa: PLR0917  as the history has them
        self,
        run: str,
        model: str,
        encoder: str,
        seed: int,
        parameters: Mapping[str, object],
        artefact: str,
        *,
        features: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """All of it is in the artefact of the training."""

    def record_metrics(self, run: str, model: str, rows: Sequence[MetricValue]) -> None:
        """They are in the artefact of the evaluation; BadInput for one that is not finite."""
        require_finite(model, rows)


def open_records() -> History | NoRecords:
    """Open the history, or what stands for it where RECSYS_METRICS_DSN is `none`; errors as in `open_history`."""
    return NoRecords() if without_database() else open_history()
