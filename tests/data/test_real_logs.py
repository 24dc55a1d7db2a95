"""Published logs of MovieLens and Last.fm have the counts stated by their authors and the literature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.data import Interactions, in_order, k_core, labels_of, read_interactions, split
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan
from tasks.runs.prepared import load_dataset
from tasks.steps.load_interactions import load_interactions
from tasks.steps.prepare import prepare
from tasks.store import Store, read_artefact, write_artefact

pytestmark = pytest.mark.realdata
RUN = "movielens"


@pytest.fixture(scope="module")
def films(shared_data: Path) -> Interactions:
    """Return all interactions of MovieLens-1M."""
    return read_interactions(shared_data / "ml1m" / "ml1m_implicit.tsv.gz").interactions


@pytest.fixture(scope="module")
def with_poster(shared_data: Path) -> set[str]:
    """Return the films that have a poster."""
    return {path.stem for path in (shared_data / "ml1m_posters" / "images").glob("*.jpg")}


@pytest.fixture(scope="module")
def with_plot(shared_data: Path) -> set[str]:
    """Return the films that have a plot: the tenth of eleven fields, N/A if there is none."""
    text = (shared_data / "ml1m" / "movies_extrainfos.dat").read_text(encoding="utf-8")
    fields = [line.split("::") for line in text.splitlines() if line]
    return {row[0] for row in fields if row[9].strip() not in {"", "N/A"}}


def part(log: Interactions, items: set[str]) -> Interactions:
    """Return the interactions with these items."""
    return log.take(np.isin(log.item_ids, sorted(items))[log.items])


def test_all_of_movielens_and_its_core(films: Interactions) -> None:
    """There are 1,000,209 ratings of 6,040 users and 3,706 films; the 5-core has 999,611 ratings and 3,416 films."""
    assert films.counts == {"interactions": 1_000_209, "users": 6_040, "items": 3_706}
    assert k_core(films, 5).counts == {"interactions": 999_611, "users": 6_040, "items": 3_416}


def test_films_with_poster_and_plot(films: Interactions, with_poster: set[str], with_plot: set[str]) -> None:
    """3,251 films have poster, plot and interactions; the 5-core keeps all of their 997,559 interactions."""
    both = with_poster & with_plot & set(films.item_ids.tolist())
    assert (len(with_poster), len(with_plot), len(both)) == (3_256, 3_845, 3_251)
    filtered = part(films, both)
    assert filtered.counts == {"interactions": 997_559, "users": 6_040, "items": 3_251}
    assert k_core(filtered, 5).counts == filtered.counts


def test_the_random_split_shares_out_eight_one_one(films: Interactions, with_poster: set[str]) -> None:
    """Of 998,108 rows 80.00, 9.97 and 10.03 % (a standard deviation is .03 to .04), by the hashes of their ids."""
    log = in_order(k_core(part(films, with_poster), 5))
    labels = labels_of(split(log, "random", seed=7, k=5).interactions)
    assert np.bincount(labels).tolist() == [798_504, 99_507, 100_097]


def test_the_published_poster_split_is_kept_whole(
    shared_data: Path, films: Interactions, with_poster: set[str]
) -> None:
    """The given split has 998,108 interactions, 6,040 users and 3,256 films; nothing is lost and no label changed."""
    log = read_interactions(shared_data / "ml1m" / "ml1m_posters_split.tsv.gz").interactions
    done = split(in_order(k_core(log, 5)), "given", seed=7, k=5)
    assert done.interactions.counts == {"interactions": 998_108, "users": 6_040, "items": 3_256}
    assert np.bincount(labels_of(done.interactions)).tolist() == [800_869, 97_158, 100_081]
    assert (done.dropped, done.users_lost, done.items_lost) == (0, 0, 0)
    assert part(films, with_poster).counts == done.interactions.counts


@pytest.mark.parametrize("name", ["lfm2k.inter", "lfm2k_og_ids.inter"])
def test_lastfm_in_the_format_of_mmrec(shared_data: Path, name: str) -> None:
    """The given split has 56,345 interactions of 1,858 users with 1,425 artists, with original and with new ids."""
    reading = read_interactions(shared_data / "lfm2k" / name, implicit=True)
    assert (reading.format, reading.duplicates) == ("inter", 0)
    done = split(in_order(reading.interactions), "given", seed=7, k=1)
    assert done.interactions.counts == {"interactions": 56_345, "users": 1_858, "items": 1_425}
    assert np.bincount(labels_of(done.interactions)).tolist() == [44_327, 4_799, 7_219]


def test_movielens_from_file_to_dataset(
    shared_data: Path, folder_store: Store, with_poster: set[str], with_plot: set[str]
) -> None:
    """Loaded and prepared by the commands, it has the stated counts, and every feature row belongs to its film."""
    ids = sorted(with_poster & with_plot)  # as text, so in another order than the prepared one
    source = np.random.default_rng(1).normal(size=(len(ids), 8)).astype(np.float32)
    closing = load_interactions(file=str(shared_data / "ml1m" / "ml1m_implicit.tsv.gz"), dataset="ml1m")
    config = RunConfig(dataset="ml1m", modalities=["image"], encoder="none", models=["ease"])
    plan = Plan(run=RUN, config=config, interactions=str(closing["log"]), inputs_hash="0" * 64)
    with write_artefact(folder_store, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan.model_dump(mode="json"))
    made = [read_artefact(folder_store, f"runs/{RUN}/scan")]
    with write_artefact(folder_store, f"runs/{RUN}/extract-image", inputs=made):
        pass
    made.append(read_artefact(folder_store, f"runs/{RUN}/extract-image"))
    with write_artefact(folder_store, f"runs/{RUN}/align", inputs=made) as out:
        out.array("image.npy", source)
        out.frame("image_items.csv", pd.DataFrame({"item_id": ids}))
        out.frame("item_features.csv", pd.DataFrame({"item_id": ids, "idx": range(len(ids))}))
    counts = prepare(run=RUN)
    stated = {"before": (1_000_209, 6_040, 3_706), "with_features": (997_559, 6_040, 3_251)}
    for stage, numbers in (stated | {"in_5_core": (997_559, 6_040, 3_251)}).items():
        assert tuple(counts[f"{kind}_{stage}"] for kind in ("interactions", "users", "items")) == numbers
    assert [counts[name] for name in ("train", "valid", "test")] == [798_056, 99_461, 100_042]
    data = load_dataset(folder_store, RUN)
    assert data.shape == (6_040, 3_251)
    assert data.item_ids.tolist() == sorted(ids, key=int)
    np.testing.assert_array_equal(data.features["image"], source[[ids.index(film) for film in data.item_ids.tolist()]])
    assert read_artefact(folder_store, f"runs/{RUN}/prepare").manifest.counts["moved_to_train"] == 0
