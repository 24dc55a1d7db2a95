"""`prepare` and `load_dataset` on a store, after what `scan` and `align` leave behind."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Cuts, Interactions, k_core
from tasks.errors import BadInput, Corrupt, NotFound
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan
from tasks.runs.prepared import load_dataset, load_outside
from tasks.steps.prepare import positions, prepare
from tasks.store import Artefact, Store, read_artefact, write_artefact
from tests.data.logs import dense, log_of, named

RUN, USERS, ITEMS = "night", 40, 30
MODALITIES = ("image", "text")
Stage = Callable[..., Artefact]


def whole_log(*, timed: bool = True, labelled: bool = True) -> Interactions:
    """A dense log of items 0, 10, 20, ..., and one user and one item that no 5-core has."""
    pairs = [*dense(USERS, ITEMS, seed=1), (100, 0), (0, 100)]
    times = [1000 + (37 * user + 101 * item) % 997 for user, item in pairs]
    labels = [0 if (user + item) % 10 < 8 else 1 + (user + item) % 2 for user, item in pairs]
    return log_of(pairs, times=times if timed else None, labels=labels if labelled else None)


def aligned_ids() -> list[str]:
    """Two items in three of the log, in another order than the log's, and some that it does not know."""
    known = [str(10 * item) for item in range(ITEMS) if item % 3]
    return [*known[::-1], "1000", "x1", "x2"]


def features(modality: str, count: int) -> np.ndarray:
    """(items, width) float32, every row different."""
    width = 3 + len(modality)
    return np.random.default_rng(len(modality)).normal(size=(count, width)).astype(np.float32)


@pytest.fixture
def stage(folder_store: Store) -> Stage:
    """Lay out a run up to `align`, prepare it, and give what it wrote."""

    def run(
        log: Interactions | None = None, ids: list[str] | None = None, cuts: Cuts | None = None, **choices: object
    ) -> Artefact:
        log, ids = log if log is not None else whole_log(), ids or aligned_ids()
        defaults = {"dataset": "films", "modalities": list(MODALITIES), "encoder": "enc", "models": ["ease"]}
        config = RunConfig.model_validate({**defaults, **choices})
        with write_artefact(folder_store, "interactions/films/one") as out:
            log.save(out.file("interactions.parquet"))
        log_at, none = "interactions/films/one", "0" * 64
        plan = Plan(run=RUN, config=config, interactions=log_at, cuts=cuts, inputs_hash=none)
        with write_artefact(folder_store, f"runs/{RUN}/scan") as out:
            out.json("plan.json", plan.model_dump(mode="json"))
        made = [read_artefact(folder_store, f"runs/{RUN}/scan")]
        for modality in config.modalities:
            with write_artefact(folder_store, f"runs/{RUN}/extract-{modality}", inputs=made[:1]):
                pass
            made.append(read_artefact(folder_store, f"runs/{RUN}/extract-{modality}"))
        with write_artefact(folder_store, f"runs/{RUN}/align", inputs=made) as out:
            for modality in config.modalities:
                out.array(f"{modality}.npy", features(modality, len(ids)))
                out.frame(f"{modality}_items.csv", pd.DataFrame({"item_id": ids}))
            out.frame("item_features.csv", pd.DataFrame({"item_id": ids, "idx": range(len(ids))}))
        prepare(run=RUN)
        return read_artefact(folder_store, f"runs/{RUN}/prepare")

    return run


def mapping(prepared: Artefact, kind: str) -> list[str]:
    """External ids by number."""
    table = prepared.frame(f"{kind}_mapping.csv", dtype={f"{kind}_id": str}, keep_default_na=False)
    assert table["idx"].tolist() == list(range(len(table)))
    return [str(one) for one in table[f"{kind}_id"]]


def pairs_of(prepared: Artefact) -> set[tuple[str, str]]:
    """The prepared log in external ids."""
    log = prepared.frame("films_filtered.inter")
    users, items = np.array(mapping(prepared, "user")), np.array(mapping(prepared, "item"))
    return set(zip(users[log["userID"]].tolist(), items[log["itemID"]].tolist(), strict=True))


def test_what_is_written_is_the_core_of_the_items_with_features(stage: Stage) -> None:
    """The pairs, in external ids, are exactly the 5-core of those whose item has features, each once."""
    prepared, log = stage(), whole_log()
    known = log.take(np.isin(log.item_ids, aligned_ids())[log.items])
    assert pairs_of(prepared) == named(k_core(known, 5))
    table = prepared.frame("films_filtered.inter")
    assert len(table) == len(pairs_of(prepared))
    assert list(table.columns) == ["userID", "itemID", "x_label", "timestamp"]


def test_every_reindexed_row_is_the_row_of_its_own_item(stage: Stage, folder_store: Store) -> None:
    """By external id: byte for byte what `align` had for that item, and `source_idx` says where."""
    prepared, ids = stage(), aligned_ids()
    aligned = read_artefact(folder_store, f"runs/{RUN}/align")
    kept = prepared.frame("item_features_filtered.csv", dtype={"item_id": str})
    assert kept["item_id"].tolist() == mapping(prepared, "item")
    assert kept["idx"].tolist() == list(range(len(kept)))
    assert [ids[place] for place in kept["source_idx"]] == kept["item_id"].tolist()
    for modality in MODALITIES:
        source, found = aligned.array(f"{modality}.npy"), prepared.array(f"{modality}_filtered.npy")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, source[[ids.index(item) for item in mapping(prepared, "item")]])


def test_mmrec_can_read_it(stage: Stage) -> None:
    """Tab separated, a header of userID itemID x_label, ids from 0 without gaps, a feature row for the largest id."""
    prepared = stage(whole_log(timed=False))
    path = prepared.path("films_filtered.inter")
    assert path.read_text(encoding="utf-8").splitlines()[0] == "userID\titemID\tx_label"
    log = pd.read_csv(path, usecols=["userID", "itemID", "x_label"], sep="\t")
    assert (log.dtypes == np.int64).all()
    assert sorted(log["userID"].unique()) == list(range(log["userID"].max() + 1))
    assert sorted(log["itemID"].unique()) == list(range(log["itemID"].max() + 1))
    assert set(log["x_label"]) == {0, 1, 2}
    assert set(log.loc[log["x_label"] == 0, "userID"]) == set(log["userID"])
    for modality in MODALITIES:
        assert len(np.load(prepared.path(f"{modality}_filtered.npy"))) == log["itemID"].max() + 1


def test_numbers_follow_the_ids(stage: Stage) -> None:
    """Items that are integers are numbered by value, other ids by their text."""
    prepared = stage()
    items = mapping(prepared, "item")
    assert items == sorted(items, key=int)
    users = mapping(prepared, "user")
    assert users == sorted(users)


def test_times_stay_with_their_pairs(stage: Stage) -> None:
    """The last column is the time of the very interaction."""
    prepared = stage()
    users, items = mapping(prepared, "user"), mapping(prepared, "item")
    table = prepared.frame("films_filtered.inter")
    for row, column, time in zip(table["userID"], table["itemID"], table["timestamp"], strict=True):
        user, item = int(users[row].removeprefix("u")), int(items[column]) // 10
        assert time == 1000 + (37 * user + 101 * item) % 997


@pytest.mark.parametrize("split", ["random", "time", "leave-one-out", "given"])
def test_counts_of_every_stage_are_in_the_manifest(stage: Stage, split: str) -> None:
    """Before, after the item filter, after the 5-core, and per part; they fit the files."""
    prepared, log = stage(split=split), whole_log()
    counts = prepared.manifest.counts
    filtered = log.take(np.isin(log.item_ids, aligned_ids())[log.items])
    core = k_core(filtered, 5)
    for stage_name, found in (("before", log), ("with_features", filtered), ("in_5_core", core)):
        expected = {f"{kind}_{stage_name}": number for kind, number in found.counts.items()}
        assert {key: counts[key] for key in expected} == expected
    table = prepared.frame("films_filtered.inter")
    parts = [counts[part] for part in ("train", "valid", "test")]
    assert np.bincount(table["x_label"], minlength=3).tolist() == parts
    assert sum(parts) == counts["interactions_in_5_core"] - counts["dropped_untrained"]
    assert len(mapping(prepared, "user")) == counts["users_in_5_core"] - counts["users_lost_in_split"]
    assert len(mapping(prepared, "item")) == counts["items_in_5_core"] - counts["items_lost_in_split"]
    measured = table.loc[table["x_label"] > 0, "userID"].nunique()
    assert counts["users_unmeasured"] == len(mapping(prepared, "user")) - measured
    assert prepared.manifest.seed == 7
    assert prepared.manifest.parameters["split"] == split
    assert set(prepared.manifest.inputs) == {f"runs/{RUN}/scan", f"runs/{RUN}/align", "interactions/films/one"}


def test_the_log_speaks_as_the_counts_do(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Interactions, users and items before and after each stage."""
    with caplog.at_level("INFO"):
        counts = stage().manifest.counts
    for words, name in (
        ("before filtering", "before"),
        ("after the item filter", "with_features"),
        ("after 5-core", "in_5_core"),
    ):
        numbers = [counts[f"{kind}_{name}"] for kind in ("interactions", "users", "items")]
        assert f"{words}: {numbers[0]:,} interactions / {numbers[1]} users / {numbers[2]} items" in caplog.messages
    assert any(message.startswith("random split: train ") for message in caplog.messages)


def test_what_a_split_by_time_leaves_untrained_is_gone_and_counted(stage: Stage) -> None:
    """An item first seen at the end has no row, no number and no feature, and the stage is in the counts."""
    late = [(user, 50) for user in range(10)]
    pairs = [*dense(USERS, ITEMS, seed=1), *late]
    times = [*range(len(pairs) - 10), *[10**6] * 10]
    prepared = stage(log_of(pairs, times=times), [*aligned_ids(), "500"], split="time")
    counts = prepared.manifest.counts
    assert "500" not in mapping(prepared, "item")
    assert counts["items_lost_in_split"] == 1
    assert counts["dropped_untrained"] == 10
    assert counts["items_trained"] == len(mapping(prepared, "item")) == len(prepared.array("text_filtered.npy"))
    assert counts["users_lost_in_split"] == 0


def test_what_a_split_drops_is_said(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Rows, and the users and items that went with them."""
    pairs = [*dense(USERS, ITEMS, seed=1), *[(user, 50) for user in range(10)]]
    times = [*range(len(pairs) - 10), *[10**6] * 10]
    with caplog.at_level("INFO"):
        stage(log_of(pairs, times=times), [*aligned_ids(), "500"], split="time")
    assert "the time split drops 10 rows, and with them 0 users and 1 items" in caplog.messages


@pytest.mark.parametrize("split", ["random", "time", "leave-one-out", "given"])
def test_the_counts_close_the_step(stage: Stage, split: str) -> None:
    """What its last line says is what its manifest keeps, with what the split moved, dropped and lost."""
    prepared = stage(split=split)
    closing = prepare(run=RUN)
    assert closing == {"prepared": prepared.prefix, **prepared.manifest.counts}
    assert closing.keys() >= {"moved_to_train", "dropped_untrained", "users_lost_in_split", "items_lost_in_split"}
    assert "users_unmeasured" in closing


@pytest.mark.parametrize("split", ["random", "time", "leave-one-out", "given"])
def test_a_pair_in_two_parts_ends_the_step(stage: Stage, split: str) -> None:
    """A log with a pair again, once to learn from and once to test, is not split by any rule."""
    log = whole_log()
    again = log.take(np.append(np.arange(len(log)), 0))
    assert again.labels is not None
    again.labels[-1] = 2 if again.labels[0] != 2 else 0
    with pytest.raises(BadInput, match="same item more than once"):
        stage(again, log.item_ids.tolist(), split=split)


def test_the_same_run_prepared_again_is_the_same(stage: Stage) -> None:
    """A retry gives the same bytes, and another seed another split of the same interactions."""
    first = stage()
    content, pairs = first.manifest.content, pairs_of(first)
    assert stage().manifest.content == content
    other = stage(seed=8)
    assert other.manifest.content != content
    assert pairs_of(other) == pairs


def test_the_order_of_the_log_does_not_matter(stage: Stage) -> None:
    """Labels belong to pairs, whatever row they were in."""
    log = whole_log()
    mixed = log.take(np.random.default_rng(3).permutation(len(log)))

    def labels(prepared: Artefact) -> pd.DataFrame:
        return prepared.frame("films_filtered.inter").sort_values(["userID", "itemID"], ignore_index=True)

    pd.testing.assert_frame_equal(labels(stage(log)), labels(stage(mixed)))


def test_ids_that_look_like_something_else_stay_text(stage: Stage, folder_store: Store) -> None:
    """007, NA, a comma and a quote survive every file."""
    log = whole_log()
    odd = {"10": "007", "20": "NA", "40": 'a,"b"', "50": "1e3"}
    renamed = Interactions(
        log.users,
        log.items,
        np.array(["null" if user == "u3" else user for user in log.user_ids.tolist()]),
        np.array([odd.get(item, item) for item in log.item_ids.tolist()]),
    )
    prepared = stage(renamed, [odd.get(item, item) for item in aligned_ids()])
    assert set(odd.values()) <= set(mapping(prepared, "item"))
    data = load_dataset(folder_store, RUN)
    assert data.item_ids.tolist() == mapping(prepared, "item")
    assert "null" in data.user_ids.tolist()


def test_a_dataset_is_what_was_prepared(stage: Stage, folder_store: Store) -> None:
    """Matrices, ids and features are those of the files."""
    prepared = stage()
    data = load_dataset(folder_store, RUN)
    table = prepared.frame("films_filtered.inter")
    for label, matrix in enumerate((data.train, data.valid, data.test)):
        part = table[table["x_label"] == label]
        assert matrix.nnz == len(part)
        assert (np.asarray(matrix[part["userID"], part["itemID"]]) == 1).all()
    assert (data.name, data.user_ids.tolist()) == ("films", mapping(prepared, "user"))
    for modality in MODALITIES:
        np.testing.assert_array_equal(data.features[modality], prepared.array(f"{modality}_filtered.npy"))


@pytest.mark.parametrize("split", ["random", "leave-one-out"])
def test_the_dataset_knows_the_order_in_which_users_took_what_is_learned_from(
    stage: Stage, folder_store: Store, split: str
) -> None:
    """Times as they were written, row by row; the last two of a leave-one-out split are not among them."""
    table = stage(split=split).frame("films_filtered.inter")
    data = load_dataset(folder_store, RUN)
    assert data.sequences is not None
    assert data.sequences.seconds is not None
    starts, items, seconds = data.sequences.starts, data.sequences.items.tolist(), data.sequences.seconds.tolist()
    for user, rows in table.groupby("userID"):
        timed = sorted(zip(rows["timestamp"], rows["itemID"], rows["x_label"], strict=True), key=lambda row: row[0])
        part = slice(starts[user], starts[user + 1])
        learned = [(time, item) for time, item, label in timed if label == 0]
        assert list(zip(seconds[part], items[part], strict=True)) == learned
        if split == "leave-one-out":
            assert learned[-1][0] <= min(time for time, _, label in timed if label)


def test_a_dataset_of_a_log_without_times_has_no_order(stage: Stage, folder_store: Store) -> None:
    """None is made up from the order of the rows."""
    stage(whole_log(timed=False))
    assert load_dataset(folder_store, RUN).sequences is None


def rewrite(store: Store, **files: object) -> None:
    """Write the prepared artefact anew with some of its files replaced."""
    old = read_artefact(store, f"runs/{RUN}/prepare")
    replaced = {name.replace("__", "."): value for name, value in files.items()}
    with write_artefact(store, f"runs/{RUN}/prepare") as out:
        for name in old.manifest.files:
            value = replaced.get(name)
            if isinstance(value, pd.DataFrame):
                out.frame(name, value)
            elif isinstance(value, np.ndarray):
                out.array(name, value)
            elif name.endswith(".npy"):
                out.array(name, old.array(name))
            else:
                out.file(name).write_bytes(old.path(name).read_bytes())


def test_files_that_do_not_belong_together_are_refused(stage: Stage, folder_store: Store) -> None:
    """A mapping out of order, with an id twice or too short, or features of fewer items, is no dataset."""
    prepared = stage()
    items = prepared.frame("item_mapping.csv", dtype={"item_id": str})
    text = prepared.array("text_filtered.npy")
    for files, message in (
        ({"item_mapping__csv": items.iloc[::-1]}, r"item_mapping\.csv has an idx that does not count its rows from 0"),
        ({"item_mapping__csv": items.iloc[:-1]}, "expected codes into"),
        ({"item_mapping__csv": items.assign(item_id="same")}, "item ids more than once"),
        ({"text_filtered__npy": text[:-1]}, "text features of films have shape"),
        ({"text_filtered__npy": np.where(text == text[0, 0], np.float32("nan"), text)}, "not finite in 1 rows"),
    ):
        stage()
        rewrite(folder_store, **files)
        with pytest.raises(BadInput, match=message):
            load_dataset(folder_store, RUN)


def test_bytes_changed_behind_our_back_are_found(stage: Stage, folder_store: Store) -> None:
    """A single digit in the log is enough."""
    stage()
    key = f"runs/{RUN}/prepare/films_filtered.inter"
    data = folder_store.get(key)
    folder_store.put(key, data.replace(b"\t0\t", b"\t1\t", 1))
    with pytest.raises(Corrupt):
        load_dataset(folder_store, RUN)


def test_two_id_spaces_that_never_meet_are_named(stage: Stage) -> None:
    """A log of other items is not a log of nothing: both kinds of ids are shown."""
    with pytest.raises(
        BadInput, match=r"none of the 31 items of the log \(such as \['0', .*\) has features \(those of"
    ):
        stage(ids=["tt1", "tt2"])


def test_a_core_that_is_empty_is_an_error(stage: Stage) -> None:
    """Rather than a dataset of nothing."""
    with pytest.raises(BadInput, match=r"nothing is left of .* interactions in a 50-core"):
        stage(k_core=50)


def test_an_item_table_that_is_not_one_to_one_is_refused(stage: Stage) -> None:
    """A repeated item could get either row."""
    with pytest.raises(BadInput, match=r"'290' found more than once in item_features\.csv"):
        stage(ids=[*aligned_ids(), "290"])
    with pytest.raises(BadInput, match=r"'b' not found in item_features\.csv"):
        positions(pd.DataFrame({"item_id": ["a"], "idx": [0]}), np.array(["a", "b"]))


def test_a_run_without_its_inputs_is_not_found(folder_store: Store) -> None:
    """The message names the step to wait for."""
    with pytest.raises(NotFound, match=rf"runs/{RUN}/scan"):
        prepare(run=RUN)
    with pytest.raises(NotFound, match=rf"runs/{RUN}/scan"):
        load_dataset(folder_store, RUN)


@given(st.data())
def test_positions_lead_from_an_item_to_its_own_row(data: st.DataObject) -> None:
    """For any table, in any order, of any part of its items."""
    ids = data.draw(st.lists(st.text("abc019", min_size=1, max_size=4), min_size=1, max_size=20, unique=True))
    rows = data.draw(st.permutations(range(len(ids))))
    wanted = data.draw(st.lists(st.sampled_from(ids), unique=True))
    found = positions(pd.DataFrame({"item_id": ids, "idx": rows}), np.array(wanted, dtype=np.str_))
    assert found.tolist() == [rows[ids.index(one)] for one in wanted]


def test_the_cuts_of_the_served_release_are_kept_and_written_down(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """By the next `scan` they are found in the manifest; the log says whose they are."""
    first = stage(split="time").manifest.parameters["cuts"]
    assert isinstance(first, list)
    moved = (first[0] - 20, first[1] - 20)
    with caplog.at_level(logging.INFO):
        kept = stage(split="time", cuts=moved)
    assert kept.manifest.parameters["cuts"] == list(moved)
    assert "as in the served release" in caplog.text
    table = kept.frame("films_filtered.inter")
    assert table.loc[table["x_label"] == 0, "timestamp"].max() < moved[0]
    assert table.loc[table["x_label"] == 2, "timestamp"].min() >= moved[1]


def test_cuts_that_are_drawn_anew_are_said(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """As a warning: what was held out until now is learned from now on."""
    with caplog.at_level(logging.WARNING):
        drawn = stage(split="time", cuts=(1100, 1200)).manifest.parameters["cuts"]
    assert drawn == stage(split="time").manifest.parameters["cuts"]
    assert (
        "from now on, for with the cuts of the served release the share of train was out of 70% to 90%" in caplog.text
    )


def test_other_splits_have_no_cuts(stage: Stage) -> None:
    """Nothing is pinned for a split that draws none."""
    assert "cuts" not in stage(split="random").manifest.parameters


def test_arrivals_and_other_users_are_kept_with_their_rows(stage: Stage, folder_store: Store) -> None:
    """Items with features that no model is trained on are numbered on; nothing of the log about them is lost."""
    prepared = stage()
    data, outside = load_dataset(folder_store, RUN), load_outside(folder_store, RUN)
    users, known = data.shape
    log = outside.interactions
    assert log.user_ids[:users].tolist() == data.user_ids.tolist()
    assert log.item_ids[:known].tolist() == data.item_ids.tolist()
    arrivals = log.item_ids[known:].tolist()
    assert sorted([*data.item_ids.tolist(), *arrivals]) == sorted(aligned_ids())
    for modality in MODALITIES:
        rows = features(modality, len(aligned_ids()))
        wanted = rows[[aligned_ids().index(one) for one in arrivals]]
        np.testing.assert_array_equal(outside.features[modality], wanted)
    named_rows = set(zip(log.user_ids[log.users].tolist(), log.item_ids[log.items].tolist(), strict=True))
    assert ("u0", "1000") in named_rows
    assert prepared.manifest.counts["arrivals"] == len(arrivals) == 3
    assert prepared.manifest.counts["interactions_outside"] == len(log)


def test_a_catalogue_that_is_all_known_has_no_arrivals(stage: Stage, folder_store: Store) -> None:
    """Files without rows are read as they were written."""
    known = [one for one in aligned_ids() if one.isdigit() and one != "1000"]
    stage(ids=known)
    outside = load_outside(folder_store, RUN)
    assert len(outside.interactions.item_ids) == len(known)
    assert outside.features["text"].shape == (0, 7)
