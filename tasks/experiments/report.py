"""The report of a comparison: means and standard deviations over seeds, and significance of differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from tasks.metrics import DECIDES, SELECTION, Difference, Metric, paired_bootstrap, user_values
from tasks.metrics.ranking import UserValues
from tasks.metrics.selection import TITLE
from tasks.store import Artefact

HEADS = {str(metric): metric.title for metric in (Metric("recall", SELECTION.k), SELECTION)}
SHOWN = tuple(HEADS)
COVERAGE, DIVERSITY = (str(Metric(name, SELECTION.k)) for name in ("coverage", "diversity"))
COSTS = ("seconds", "cpu", "peak_mib")  # of `fit`
LEAST = 0.001  # below it p-values are not distinguished
CATALOGUES = ("held-out items", "all items")  # of `evaluate_cold`


@dataclass(frozen=True)
class Comparison:
    """Metrics of all trials, one per row (world, model, seed, part, figure, value), and differences on test by model.

    `figure` is the name of the metric. `differences` are against the model `against`, `content` those of a model and
    itself with permuted content.
    """

    metrics: pd.DataFrame
    against: str
    differences: Mapping[str, Mapping[str, Difference]]
    content: Mapping[str, Mapping[str, Difference]]


def collect_metrics(trials: Sequence[Artefact]) -> pd.DataFrame:
    """Every metric of every trial, and what it cost (part `fit`)."""
    rows = []
    for artefact in trials:
        facts = artefact.json("trial.json")
        key = (facts["world"], facts["model"], facts["seed"])
        rows += [(*key, "fit", name, facts[name]) for name in COSTS if facts.get(name) is not None]
        rows += [
            (*key, part, name, value) for part, values in facts["figures"].items() for name, value in values.items()
        ]
    return pd.DataFrame(rows, columns=["world", "model", "seed", "part", "figure", "value"])


def compare_trials(trials: Sequence[Artefact], against: str) -> Comparison:
    """Differences of the users' values, which are means over seeds first."""
    users: dict[tuple[str, str], list[UserValues]] = {}
    for artefact in trials:
        facts = artefact.json("trial.json")
        if facts["world"] != "cold":
            values = user_values(artefact.frame("users.parquet"), "test")
            users.setdefault((facts["world"], facts["model"]), []).append(values)
    means = {key: average_values(values) for key, values in users.items()}
    plain = {model: values for (world, model), values in means.items() if world == "plain"}
    permuted = {model: values for (world, model), values in means.items() if world == "permuted"}
    return Comparison(
        collect_metrics(trials),
        against,
        correct_p({model: paired_bootstrap(plain[model], plain[against]) for model in plain if model != against}),
        correct_p({model: paired_bootstrap(plain[model], values) for model, values in permuted.items()}),
    )


def correct_p(differences: Mapping[str, Mapping[str, Difference]]) -> dict[str, dict[str, Difference]]:
    """The same with p values corrected for the number of models, metric by metric.

    Of those called significant at .05 then 5 % at most are expected not to be (the false discovery rate: Benjamini,
    Hochberg, Controlling the False Discovery Rate, Journal of the Royal Statistical Society B 57, 1995).
    """
    corrected: dict[str, dict[str, Difference]] = {model: {} for model in differences}
    for name in next(iter(differences.values()), {}):
        values = false_discovery_control([by_metric[name].p for by_metric in differences.values()])
        for (model, by_metric), p in zip(differences.items(), values, strict=True):
            corrected[model][name] = replace(by_metric[name], p=float(p))
    return corrected


def average_values(values: Sequence[UserValues]) -> UserValues:
    """The mean over seeds of every user's values."""
    first = values[0]
    tables = {name: np.mean([one.values[name] for one in values], axis=0) for name in first.values}
    return UserValues(first.users, first.cutoffs, tables)


def rank_models(metrics: pd.DataFrame, part: str, world: str = "plain") -> pd.DataFrame:
    """Mean and standard deviation over seeds by model and metric, the best model on `part` by NDCG@20 first."""
    rows = metrics[(metrics["world"] == world) & metrics["part"].isin([part, "fit"])]
    by_model = rows.groupby(["model", "figure"])["value"].agg(["mean", "std", "count"])
    table = pd.DataFrame(by_model.unstack("figure"))
    return table.sort_values(("mean", DECIDES), ascending=False, kind="stable")


def choose_best(metrics: pd.DataFrame, models: Sequence[str]) -> str:
    """Of `models`, by the mean NDCG@20 in the plain world."""
    order = rank_models(metrics, "valid").index
    return str(next(model for model in order if model in models))


def mean_score(metrics: pd.DataFrame, model: str, part: str) -> float:
    """Return the mean NDCG@20 of a model over seeds in the plain world."""
    rows = metrics[(metrics["world"] == "plain") & (metrics["part"] == part)]
    return float(rows.loc[(rows["model"] == model) & (rows["figure"] == DECIDES), "value"].mean())


def write_table(comparison: Comparison, without_content: Sequence[str]) -> Iterator[str]:
    """Markdown for people: accuracy, and where asked what content is worth and how cold items rank."""
    yield from _accuracy(comparison, without_content)
    worlds = set(comparison.metrics["world"])
    if "permuted" in worlds:
        yield from _content(comparison)
    if "cold" in worlds:
        yield from _cold(comparison.metrics)


def _accuracy(comparison: Comparison, without_content: Sequence[str]) -> Iterator[str]:
    table = rank_models(comparison.metrics, "test")
    yield (
        f"Test: means ± deviations over seeds; {TITLE} against {comparison.against} with a 95 % interval, and p "
        "corrected for the number of models (Benjamini-Hochberg)."
    )
    yield ""
    columns = ("model", "seeds", f"{TITLE} on validation", *HEADS.values(), f"against {comparison.against}", "p")
    yield f"| {' | '.join(columns)} | {COVERAGE} | {DIVERSITY} | seconds | CPU s | MiB |"
    yield "|---" * (len(columns) + 5) + "|"
    for model, row in table.iterrows():
        chosen_by = f"{mean_score(comparison.metrics, str(model), 'valid'):.4f}"
        cells = [
            chosen_by,
            *(_spread(row, name) for name in SHOWN),
            *_difference(comparison.differences.get(str(model))),
        ]
        digits = {COVERAGE: 3, DIVERSITY: 3, "seconds": 1, "cpu": 1, "peak_mib": 0}
        rest = " | ".join(_mean(row, name, count) for name, count in digits.items())
        yield f"| {model} | {int(row['count', DECIDES])} | {' | '.join(cells)} | {rest} |"
    with_content = [str(model) for model in table.index if model not in without_content]
    if comparison.against in without_content:
        beaten = [model for model in with_content if comparison.differences[model][DECIDES].low <= 0]
        yield from _not_above(comparison.against, beaten, "significantly")
    elif without_content:  # what is served has content: no difference to any without was drawn
        best, means = choose_best(comparison.metrics, without_content), table["mean", DECIDES]
        yield from _not_above(best, [model for model in with_content if means[model] <= means[best]], "by its mean")


def _not_above(baseline: str, beaten: Sequence[str], how: str) -> Iterator[str]:
    """Yield a sentence with the models with content that are not better than `baseline`."""
    if beaten:
        yield ""
        yield f"Models with content that are not better than {baseline} {how}: {', '.join(beaten)}."


def _content(comparison: Comparison) -> Iterator[str]:
    plain, other = rank_models(comparison.metrics, "test"), rank_models(comparison.metrics, "test", "permuted")
    yield ""
    yield f"Does content help? The same with permuted features ({TITLE} on test)."
    yield ""
    yield "| model | features | permuted features | difference | p |"
    yield "|---|---|---|---|---|"
    for model in plain.index[plain.index.isin(other.index)]:
        both = [_spread(table.loc[model], DECIDES) for table in (plain, other)]
        yield f"| {model} | {' | '.join(both + _difference(comparison.content[str(model)]))} |"


def _cold(metrics: pd.DataFrame) -> Iterator[str]:
    yield ""
    yield f"Cold items, ranked among themselves and among all items ({', '.join(HEADS.values())})."
    yield ""
    yield f"| model | Recall@20 among cold items | {TITLE} | Recall@20 among all items | {TITLE} |"
    yield "|---|---|---|---|---|"
    tables = [rank_models(metrics, part, "cold") for part in CATALOGUES]
    for model in tables[0].index:
        cells = [_spread(table.loc[model], name) for table in tables for name in SHOWN]
        yield f"| {model} | {' | '.join(cells)} |"


def _mean(row: pd.Series, name: str, digits: int) -> str:
    """Empty for what was not measured: without features there is no diversity."""
    value = row.get(("mean", name), np.nan)
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def _spread(row: pd.Series, name: str) -> str:
    return spell_spread(row["mean", name], row["std", name])


def _difference(differences: Mapping[str, Difference] | None) -> list[str]:
    """The cells `difference [interval]` and `p`."""
    if differences is None:
        return ["", ""]
    return spell_difference(differences[DECIDES])


def spell_spread(mean: float, deviation: float | None) -> str:
    """Mean and standard deviation over seeds; the mean alone of a single seed."""
    return f"{mean:.4f}" if pd.isna(deviation) else f"{mean:.4f} ± {deviation:.4f}"


def spell_difference(one: Difference) -> list[str]:
    """The difference with its interval, and p."""
    return [f"{one.mean:+.4f} [{one.low:+.4f}, {one.high:+.4f}]", f"{one.p:.3f}" if one.p >= LEAST else f"< {LEAST:g}"]
