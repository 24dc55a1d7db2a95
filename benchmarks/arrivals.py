"""What arrivals gain and what known items lose, by policy and its number, on Last.fm-2k and MovieLens-1M.

    python -m benchmarks.arrivals DATA [--worlds NAME ...] [--seeds N] [--first SEED] [--threads N] [--plot FOLDER]

DATA holds lfm2k/, ml1m/, texts/ and vectors/. For each seed a tenth of the items is drawn: these arrive, and every
interaction with them is truth. The others are split by the random split of the product and iALS with the preset's
hyperparameters learns from train. Lists of 20 are made from known items and arrivals; known items are measured by
NDCG@20 on test, arrivals by Recall@20 of the same lists, and among themselves. The prototype is the reference in the
same run: a ridge regression from content to the item vectors, and fixed last places, for all users or for the share
of them whose best arrival scores highest against their own 20th known item. All figures are means over the seeds.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from scipy import sparse

from benchmarks.arrivals_content import WORLDS, World
from tasks.arrivals.fitting import fit_arrivals
from tasks.arrivals.mixing import mix
from tasks.arrivals.policy import Policy
from tasks.data import Dataset, Interactions, dataset_of, split
from tasks.metrics import top_items
from tasks.metrics.ranking import ranking_metrics
from tasks.models import build_model
from tasks.training import TrainingOptions

K = 20
CONFIGS = Path(__file__).resolve().parent.parent / "tasks" / "configs"
LOSSES = (0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)  # of the policy calibrated, in percent
PLACES, SHARES = (1, 2, 3), (0.5, 0.75, 1.0)  # of the prototype: places, and the share of users who get them
Point = tuple[float, float]  # loss of NDCG@20 in percent, recall of arrivals
Curves = dict[str, dict[str, list[Point]]]  # method -> policy -> a point for each seed


@dataclass(frozen=True)
class Drawn:
    """A world in which some items arrive: `truth` (users, A) are all interactions with them."""

    data: Dataset
    features: dict[str, np.ndarray]
    truth: sparse.csr_matrix
    scores: np.ndarray  # (users, K) of the fitted model
    vectors: np.ndarray  # (K, d)

    @property
    def visible(self) -> np.ndarray:
        """The scores, -inf for what was learned from."""
        return np.where(self.data.train.toarray() > 0, np.float32(-np.inf), self.scores)


def draw(world: World, seed: int, threads: int) -> Drawn:
    """Draw the arrivals and fit iALS on the rest."""
    count = world.items.max() + 1
    cold = np.zeros(count, dtype=bool)
    cold[np.random.default_rng(seed).choice(count, round(count / 10), replace=False)] = True
    code = np.where(cold, np.cumsum(cold), np.cumsum(~cold)) - 1  # within arrivals, and within known items
    new = cold[world.items]
    users = np.arange(world.users.max() + 1)
    log = Interactions(
        world.users[~new].astype(np.int32),
        code[world.items[~new]].astype(np.int32),
        users.astype(str),
        np.flatnonzero(~cold).astype(str),
    )
    content = {name: rows[~cold] for name, rows in world.content.items()}
    data = dataset_of(world.name, split(log, "random", seed=seed, k=1).interactions, content)
    pairs = (world.users[new], code[world.items[new]])
    truth = sparse.csr_matrix((np.ones(new.sum(), np.float32), pairs), shape=(len(users), int(cold.sum())))
    preset = yaml.safe_load((CONFIGS / f"{world.name}.yaml").read_text(encoding="utf-8"))["hyperparameters"]["ials"]
    model = build_model("ials", preset, data)
    model.fit(TrainingOptions(threads=threads, seed=seed))
    vectors = model.item_vectors()
    assert vectors is not None
    return Drawn(data, {name: rows[cold] for name, rows in world.content.items()}, truth, model.scores(users), vectors)


def measure(columns: np.ndarray, drawn: Drawn) -> tuple[float, float]:
    """Return NDCG@20 of known items on test, and Recall@20 of arrivals, of lists (users, 20)."""
    known = drawn.data.shape[1]
    return (
        mean_of("ndcg", np.where(columns < known, columns, -1), drawn.data.test),
        mean_of("recall", np.where(columns >= known, columns - known, -1), drawn.truth),
    )


def mean_of(metric: str, columns: np.ndarray, positives: sparse.csr_matrix) -> float:
    """Return the mean of a metric at 20 of lists `columns` (users, 20), over users with any positive."""
    counts = np.diff(positives.indptr)
    hits = (columns >= 0) & np.take_along_axis(positives.toarray() > 0, np.maximum(columns, 0), axis=1)
    some = counts > 0
    return float(ranking_metrics(hits[some], counts[some], (K,))[metric].mean())


def prototype(drawn: Drawn, names: tuple[str, ...]) -> np.ndarray:
    """Return scores (users, A) by a ridge regression from standardised content to item vectors.

    Rows are weighted by the root of their count; lambda is the best on a fifth of the known items.
    """
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for name in names:
        rows = drawn.data.features[name]
        mean = rows.mean(axis=0)
        scale = (rows - mean).std()
        for side, part in zip(sides, (rows, drawn.features[name]), strict=True):
            side.append((part - mean) / scale)
    known, new = (np.concatenate(side, axis=1) for side in sides)
    weight = np.sqrt(np.asarray(drawn.data.train.sum(axis=0)).ravel())
    gram = drawn.vectors.T @ drawn.vectors
    users = np.linalg.solve(gram.astype(np.float64), (drawn.scores @ drawn.vectors).T).T

    def predict(rows: np.ndarray, content: np.ndarray, l2: float) -> np.ndarray:
        weighted = known[rows] * weight[rows, None]
        centre = drawn.vectors[rows].mean(axis=0)
        left = weighted.T @ known[rows] + l2 * np.eye(known.shape[1])
        return np.asarray(content @ np.linalg.solve(left, weighted.T @ (drawn.vectors[rows] - centre)) + centre)

    fold = np.random.default_rng(0).random(len(known)) < 0.2
    rest, held = np.flatnonzero(~fold), np.flatnonzero(fold)
    taken = (drawn.data.train + drawn.data.valid).tocsr()[:, held]
    recalls = {}
    for l2 in (30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4):
        tried = (users @ predict(rest, known[held], l2).T).astype(np.float32)
        recalls[l2] = mean_of("recall", top_items(tried, K), taken)
    best = max(recalls, key=lambda l2: recalls[l2])
    return np.asarray(users @ predict(np.arange(len(known)), new, best).T, dtype=np.float32)


def prototype_lists(drawn: Drawn, scores: np.ndarray, share: float, places: int) -> np.ndarray:
    """Return lists in which the share of users with the highest best arrival get so many last places."""
    visible = drawn.visible
    lists = mix(visible, scores, K, Policy("off")).columns
    fresh = mix(visible, scores, K, Policy("share", places / K)).columns
    end = np.take_along_axis(visible, lists[:, -1:], axis=1)[:, 0]
    margin = scores.max(axis=1) - end
    chosen = margin >= np.quantile(margin, 1 - share)
    return np.where(chosen[:, None], fresh, lists)


def curves(world: World, seed: int, threads: int, found: Curves) -> str:
    """Add the points of one seed to `found`; returns what it took."""
    drawn = draw(world, seed, threads)
    visible, truth = drawn.visible, drawn.truth
    base, _ = measure(mix(visible, np.zeros(truth.shape, np.float32), K, Policy("off")).columns, drawn)
    recall = mean_of("recall", top_items(visible, K), drawn.data.test)
    found["known items"]["Recall@20 and NDCG@20"].append((recall, base))

    def add(method: str, policy: str, columns: np.ndarray) -> None:
        ndcg, recalled = measure(columns, drawn)
        found[method][policy].append((100 * (1 - ndcg / base), recalled))

    scores = prototype(drawn, world.plain)
    found["prototype"]["among themselves"].append((0, mean_of("recall", top_items(scores, K), truth)))
    for share in SHARES:
        for places in PLACES:
            add("prototype", f"{places} x {share:.0%}", prototype_lists(drawn, scores, share, places))
    seconds = []
    for method, names in {"plain content": world.plain, "all content": tuple(world.content)}.items():
        known: Mapping[str, np.ndarray] = {name: drawn.data.features[name] for name in names}
        start = time.process_time()
        fitted = fit_arrivals(
            lambda users: drawn.scores[users],
            replace(drawn.data, features=known),
            {name: drawn.features[name] for name in names},
            seed=seed,
        )
        seconds.append(time.process_time() - start)
        scores = fitted.scores(drawn.scores)
        found[method]["among themselves"].append((0, mean_of("recall", top_items(scores, K), truth)))
        for places in PLACES:
            add(method, f"share {places / K:g}", mix(visible, scores, K, Policy("share", places / K)).columns)
        for loss in LOSSES:
            lists = mix(visible, scores, K, Policy("calibrated", loss), fitted.exchange).columns
            add(method, f"calibrated {loss:g}", lists)
    sizes = f"{drawn.data.shape[1]} known, {truth.shape[1]} arrivals"
    return f"{world.name}, seed {seed}: {sizes}, fits of {seconds[0]:.0f} and {seconds[1]:.0f} CPU seconds"


def report(found: Curves) -> None:
    """Print means over seeds with the deviation of the recall."""
    for method, policies in found.items():
        for policy, points in policies.items():
            table = np.array(points)
            (loss, recall), (_, spread) = table.mean(axis=0), table.std(axis=0)
            print(f"  {method:<14} {policy:<22} {loss:7.4f}  {recall:.4f} ± {spread:.4f}", flush=True)


def plot(name: str, found: Curves, path: Path) -> None:
    """Draw the frontier: recall of arrivals by the loss of NDCG@20 on known items."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    image, axis = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for method, colour in (("all content", "tab:blue"), ("plain content", "tab:green"), ("prototype", "tab:red")):
        policies = {policy: np.mean(points, axis=0) for policy, points in found[method].items()}
        line = np.array([point for policy, point in policies.items() if policy.startswith("calibrated")])
        dots = np.array([point for policy, point in policies.items() if policy.startswith("share") or " x " in policy])
        if len(line):
            axis.plot(*line.T, color=colour, marker=".", label=f"calibrated, {method}")
        axis.scatter(*dots.T, color=colour, marker="x", s=22, label=f"fixed places, {method}")
    axis.set(xlim=(0, 6), xlabel="loss of NDCG@20 on known items, %", ylabel="Recall@20 of arrivals among all items")
    axis.set_ylim(bottom=0)
    axis.set_title(name)
    axis.grid(color="0.9")
    axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    image.savefig(path, dpi=130)
    pyplot.close(image)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=5, help="the first seed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    for chosen in options.worlds:
        everything: Curves = defaultdict(lambda: defaultdict(list))
        loaded = WORLDS[chosen](options.data)
        for number in range(options.first, options.first + options.seeds):
            print(curves(loaded, number, options.threads, everything), flush=True)
        report(everything)
        if options.plot is not None:
            plot(chosen, everything, options.plot / f"arrivals-{chosen}.png")
