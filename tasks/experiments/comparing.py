"""Trains all that is compared, as far as it has not been, and draws the differences."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tasks.errors import BadInput, Diverged, TaskError
from tasks.experiments.arms import Arm
from tasks.experiments.plot import draw_plot
from tasks.experiments.recording import Recorder, run_trials
from tasks.experiments.report import Comparison, choose_best, collect_metrics, compare_trials, write_table
from tasks.experiments.trials import list_trials, trial_artefact
from tasks.metrics import Difference
from tasks.progress import progress
from tasks.runs.plan import Plan
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.store import Artefact, ArtefactWriter, Store, open_records
from tasks.training import TrainingOptions
from tasks.training.device import thread_count

log = logging.getLogger(__name__)
table_log = log.getChild("table")  # apart, for who prints the table


@dataclass(frozen=True)
class Asked:
    """What of each arm is trained: so many seeds from that of the run on, and in which worlds beside the plain one.

    `against`: the arm that all others are compared with; None: what is served, or the best without content.
    """

    seeds: int
    permute: bool = False
    cold: bool = False
    against: str | None = None


@dataclass(frozen=True)
class Compared:
    """What came of it; `failed` arms are in no table."""

    comparison: Comparison
    inputs: list[Artefact]  # what was prepared, and the trials
    without_content: list[str]
    failed: dict[str, BadInput | Diverged]

    @property
    def names(self) -> list[str]:
        """Of the arms that were trained."""
        return list(dict.fromkeys(self.comparison.metrics["model"]))

    def write(self, out: ArtefactWriter) -> None:
        """Table, metrics, differences and plot; the table also into the log."""
        text = "\n".join(write_table(self.comparison, self.without_content))
        out.file("table.md").write_text(text + "\n", encoding="utf-8")
        out.frame("figures.csv", self.comparison.metrics)
        out.json("differences.json", _describe(self.comparison))
        draw_plot(self.comparison.metrics, self.comparison.against, out.file("plot.png"))
        table_log.info("\n%s\n", text)

    def raise_failures(self) -> None:
        """Raise an error that names the arms that failed, with the reasons, if there are any."""
        if self.failed:
            reasons = "; ".join(f"{name}: {error}" for name, error in self.failed.items())
            kind = BadInput if all(isinstance(error, BadInput) for error in self.failed.values()) else TaskError
            count = len(self.failed)
            raise kind(f"{count} of {count + len(self.names)} models failed and are not in the table: {reasons}")


def compare_arms(
    store: Store, plan: Plan, arms: Sequence[Arm], asked: Asked, *, device: str, threads: int, memory: float
) -> Compared:
    """Train each arm with each seed in each world on the dataset of a run, and compare.

    BadInput before any training for an impossible hyperparameter, or a reference that is not compared.
    """
    named = {arm.name: arm for arm in arms}
    if asked.against is not None and asked.against not in named:
        raise BadInput(f"--against {asked.against} found, expected one of the compared models: {', '.join(named)}")
    for arm in arms:  # report mistakes before hours of training
        arm.configure(plan)
    served = None if asked.against else _read_served_model(plan)
    data, prepared = load_dataset(store, plan.run), prepared_artefact(store, plan.run)
    count = thread_count(threads, data)
    options = TrainingOptions(device=device, threads=count, seed=plan.config.seed, memory_gib=memory)
    recorder = Recorder(plan, options, prepared.manifest.content)
    seeds = [plan.config.seed + place for place in range(asked.seeds)]
    wanted = list_trials(arms, seeds, permute=asked.permute, cold=asked.cold)
    trials, failed = run_trials(
        progress(wanted, label="compare", unit="trial"),
        lambda trial: trial_artefact(store, plan, data, trial, options),
        recorder,
    )
    names = [name for name in named if name not in failed]
    if asked.against in failed or not names:
        raise failed.get(asked.against or "") or next(iter(failed.values()))
    without = [name for name in names if not named[name].uses_content]
    reference = asked.against or _choose_reference(served, names, without, trials)
    recorder.finish(reference)
    return Compared(compare_trials(trials, reference), [prepared, *trials], without, failed)


def _read_served_model(plan: Plan) -> str | None:
    """The model that is served of this dataset, if one is."""
    with open_records() as history:
        champion = history.champion(plan.config.dataset)
    return champion.model if champion else None


def _choose_reference(served: str | None, names: list[str], without: list[str], trials: list[Artefact]) -> str:
    """What is served, or where that is not among `names` the best of those `without` content, which the log says."""
    if served in names:
        return served
    best, why = choose_best(collect_metrics(trials), without or names), f"{served} is served, but not compared"
    which = "the best without content" if without else "the best"
    log.info("differences are to %s, %s on validation: %s", best, which, why if served else "nothing is served")
    return best


def _describe(comparison: Comparison) -> dict[str, object]:
    def write(by_model: Mapping[str, Mapping[str, Difference]]) -> dict[str, object]:
        return {model: {name: asdict(one) for name, one in by_name.items()} for model, by_name in by_model.items()}

    return {
        "against": comparison.against,
        "models": write(comparison.differences),
        "content": write(comparison.content),
    }
