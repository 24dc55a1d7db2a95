"""Hyperparameter search with Optuna: choosing trials, recording results, and recovering trials of killed processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import BaseSampler, GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from tasks.errors import Diverged
from tasks.store.studies import LocalStudies, Studies
from tasks.training import Choice, Range, Real, Scorer, Space

PATIENCE = 5  # complete trials before pruning starts, and validations of each trial before it may be pruned
RANDOM = 4  # trials before the Gaussian process, including the starts, which are usually better than random ones
REASON = "reason"

optuna.logging.set_verbosity(optuna.logging.WARNING)  # the step logs every trial itself


class Search:
    """One study: a space and its trials, possibly by several processes at once.

    Each of `starts` is tried first. Then a Gaussian process chooses all hyperparameters jointly, with the largest
    expected improvement (Jones, Schonlau, Welch, Efficient Global Optimization, 1998), since trials are few and
    expensive.
    """

    def __init__(
        self,
        studies: Studies | LocalStudies,
        name: str,
        space: Space,
        starts: Sequence[Mapping[str, object]],
        seed: int,
    ) -> None:
        self._studies = studies
        self._starts = starts
        self._distributions = {key: to_distribution(within) for key, within in space.items()}
        self._name = name
        with studies.hold_lock(name):
            self._study = optuna.create_study(
                study_name=name,
                storage=studies.storage,
                load_if_exists=True,
                direction="maximize",
                sampler=SeededSampler(seed),
                pruner=MedianPruner(n_startup_trials=PATIENCE, n_warmup_steps=PATIENCE),
            )

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials so far, also those of other processes, by number."""
        return self._study.get_trials(deepcopy=False)

    def best(self) -> FrozenTrial | None:
        """The first with the highest score of those that came to their end, or None."""
        ended = [trial for trial in self.trials if is_complete(trial)]
        return max(ended, key=lambda trial: trial.value or 0.0, default=None)

    def attempt(self, measure: Callable[[Trial], float]) -> FrozenTrial:
        """Try the next hyperparameters; `measure` returns their score (higher is better).

        A trial that diverges or is pruned is recorded with its reason; any other exception is recorded and raised.
        """
        trial = self.ask()
        try:
            value = measure(trial)
        except (optuna.TrialPruned, Diverged) as error:
            trial.set_user_attr(REASON, str(error))
            # Complete, with a score: the process looks at no others, and would try the same again.
            return self._study.tell(trial, self._stand_in(trial, error))
        except BaseException as error:
            trial.set_user_attr(REASON, f"{type(error).__name__}: {error}")
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            return self._study.tell(trial, value)
        finally:
            self._studies.unlock(self._lock_of(trial.number))

    def _stand_in(self, trial: Trial, error: Exception) -> float:
        """For a trial without a score: its best so far, or where it diverged the worst of all."""
        own = self.trials[trial.number].intermediate_values.values()
        others = (other.value for other in self.trials if other.value is not None)
        return min(others, default=0.0) if isinstance(error, Diverged) else max(own)

    def ask(self) -> Trial:
        """Return the next trial and hold its lock while it runs."""
        with self._studies.hold_lock(self._name):
            self._recover()
            tried = [trial.params for trial in self.trials if trial.state != TrialState.FAIL]
            if untried := [start for start in self._starts if start not in tried]:
                self._study.enqueue_trial(dict(untried[0]))
            trial = self._study.ask(self._distributions)
            self._studies.lock(self._lock_of(trial.number))
        return trial

    def _recover(self) -> None:
        """Mark running trials without a process as failed."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._studies.is_free(self._lock_of(trial.number)):
                # It may have ended since it was listed: its lock is released last.
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _lock_of(self, number: int) -> str:
        return f"{self._name}/{number}"


class SeededSampler(BaseSampler):
    """A Gaussian process whose seed depends on the trial's number.

    So an interrupted search continues like an uninterrupted one, and two processes draw different trials.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sampler = make_sampler(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed the random stream of the trial."""
        seed = np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]
        self._sampler = make_sampler(int(seed))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the hyperparameters that are drawn jointly."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw them jointly; what was tried before is not tried again: each is then drawn at random."""
        drawn = self._sampler.sample_relative(study, trial, search_space)
        others = [other.params for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        return {} if drawn in others else drawn

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> object:
        """Draw one hyperparameter: the first trials are random."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


def make_sampler(seed: int) -> GPSampler:
    """What draws after the first trials, which are drawn at random."""
    return GPSampler(n_startup_trials=RANDOM, seed=seed)


def is_complete(trial: FrozenTrial) -> bool:
    """Whether the trial ran to completion."""
    return trial.state == TrialState.COMPLETE and REASON not in trial.user_attrs


def to_distribution(within: Range) -> BaseDistribution:
    """A range in Optuna's words."""
    if isinstance(within, Choice):
        return CategoricalDistribution(within.values)
    if isinstance(within, Real):
        return FloatDistribution(within.low, within.high, log=within.log)
    return IntDistribution(within.low, within.high, log=within.log)


def prune_between_epochs(trial: Trial, validate: Callable[[Scorer], float]) -> Callable[[Scorer], float]:
    """`validate`, which also gives the trial up where its best so far is below the median of the others' then."""
    scores: list[float] = []

    def report_to_trial(scorer: Scorer) -> float:
        scores.append(validate(scorer))
        trial.report(max(scores), len(scores))
        if trial.should_prune():
            raise optuna.TrialPruned(f"below the median of the others after {len(scores)} validations")
        return scores[-1]

    return report_to_trial
