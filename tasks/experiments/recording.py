"""A comparison as rows of the metrics database, written while it goes on."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping

from tasks.errors import BadInput, Diverged
from tasks.experiments.cost import Cost
from tasks.experiments.trials import ComparisonTrial, trial_parameters
from tasks.metrics import EVAL_SPLITS, SELECTION, Metric
from tasks.runs.plan import Plan
from tasks.store import DSN, Artefact, SegmentValue, TrialRow, open_history, without_database
from tasks.store.artefacts import code_version
from tasks.training import TrainingOptions

log = logging.getLogger(__name__)


class Recorder:
    """Writes each trial when it has ended; without a database the log says once that nothing is written.

    `dataset` is the hash of what prepare made. A connection is open only while something is written: between two
    trials hours may pass. BadInput when the schema of the database is not up to date.
    """

    def __init__(self, plan: Plan, options: TrainingOptions, dataset: str) -> None:
        self.plan, self.options, self.dataset = plan, options, dataset
        self.active = bool(os.environ.get(DSN)) and not without_database()
        if not self.active:
            why = "none" if without_database() else "not set"
            log.info("%s is %s: the comparison is kept in the store and not in the metrics database", DSN, why)
            return
        with open_history() as history:
            history.start_comparison(plan.run, plan.config.dataset, dataset, *SELECTION)

    def record_done(self, trial: ComparisonTrial, artefact: Artefact) -> None:
        """The trial has ended, now or in an earlier call."""
        facts = artefact.json("trial.json")
        made = {"device": facts["device"], "code_version": artefact.manifest.code_version}
        cost = Cost(facts["seconds"], facts["cpu"], facts["peak_mib"])
        row = self._row(trial, made, cost, artefact=artefact.prefix)
        self._record(row, metric_values(facts["figures"]))

    def record_failed(self, trial: ComparisonTrial, error: Exception) -> None:
        """The model diverged, or refused its hyperparameters or the dataset."""
        made = {"device": self.options.device, "code_version": code_version()}
        self._record(self._row(trial, made, error=str(error)), [])

    def finish(self, against: str) -> None:
        """Every trial that was asked for has ended; differences are to `against`."""
        if self.active:
            with open_history() as history:
                history.finish_comparison(self.plan.run, against)

    def _row(
        self,
        trial: ComparisonTrial,
        made: Mapping[str, str],
        cost: Cost | None = None,
        *,
        artefact: str | None = None,
        error: str | None = None,
    ) -> TrialRow:
        parameters = trial_parameters(self.plan, trial, self.options, self.dataset)
        del parameters["world"]  # it is in the key, and a model's trials in all worlds belong together
        return TrialRow(
            trial.world,
            trial.arm.name,
            trial.seed,
            hyperparameters=trial.arm.configure(self.plan).model_dump(mode="json"),
            fingerprint=hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest(),
            artefact=artefact,
            error=error,
            seconds=cost.seconds if cost else None,
            cpu=cost.cpu if cost else None,
            peak_mib=cost.peak_mib if cost else None,
            **made,
        )

    def _record(self, row: TrialRow, values: list[SegmentValue]) -> None:
        if self.active:
            with open_history() as history:
                history.record_trial(self.plan.run, row, values)


def run_trials(
    trials: Iterable[ComparisonTrial], make: Callable[[ComparisonTrial], Artefact], recorder: Recorder
) -> tuple[list[Artefact], dict[str, BadInput | Diverged]]:
    """The artefacts of all trials, without those of models of which one diverges or refuses; and why these do."""
    made, failed = [], dict[str, BadInput | Diverged]()
    for trial in trials:
        if trial.arm.name in failed:
            continue
        try:
            artefact = make(trial)
            recorder.record_done(trial, artefact)
        except (BadInput, Diverged) as error:
            log.error("%s with seed %d is left out: %s", trial.arm.name, trial.seed, error)  # noqa: TRY400  no traceback
            recorder.record_failed(trial, error)
            failed[trial.arm.name] = error
        else:
            made.append((trial.arm.name, artefact))
    return [artefact for model, artefact in made if model not in failed], failed


def metric_values(metrics: Mapping[str, Mapping[str, float]]) -> list[SegmentValue]:
    """Of `trial.json`: a part is a split, or in the cold world the items that compete for test interactions."""
    return [
        SegmentValue(part, *Metric.parse(name), value)
        if part in EVAL_SPLITS
        else SegmentValue("test", *Metric.parse(name), value, segment=part)
        for part, values in metrics.items()
        for name, value in values.items()
    ]
