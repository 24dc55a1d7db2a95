"""`scan`: what there is, what of it is new, and whether there is anything to do."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest

from tasks.data.records import Records
from tasks.errors import BadInput, NotFound, NothingToDo
from tasks.media import LARGEST
from tasks.models import MODELS
from tasks.runs.inventory import content_hashes, list_media
from tasks.runs.plan import read_plan
from tasks.store import History, ObjectInfo, Store, has_artefact, read_artefact, write_artefact
from tasks.store.item_records import replace_records
from tests.steps.shop import (
    DATASET,
    TinyEncoder,
    decide,
    drop,
    encoders,
    key_of,
    load_log,
    load_matrix,
    look,
    medium,
    use,
    warnings_of,
)

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
ITEMS = [str(number) for number in range(1, 7)]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, TinyEncoder]:
    """The encoders that the steps find."""
    found = encoders()
    use(monkeypatch, found)
    return found


@pytest.fixture
def shop(folder_store: Store, history: History, tiny: dict[str, TinyEncoder]) -> Store:
    """Six items with all media, and a log about them."""
    drop(folder_store, ITEMS)
    load_log(folder_store, ITEMS)
    return folder_store


def runs(dsn: str) -> dict[str, str]:
    """Each run of the history and how that says it went."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as sql:
            sql.execute("SELECT run, status FROM rec.run")
            return dict(sql.fetchall())
    finally:
        connection.close()


def status(dsn: str, run: str) -> str:
    """How the history says a run went."""
    return runs(dsn)[run]


def test_counts_are_said_as_in_the_source_paper(shop: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Found, items in total, missing per modality, with all of them: in the log and in the closing line."""
    drop(shop, ["7", "8"], ["image"])
    drop(shop, ["9"], ["text"])
    shop.delete(key_of("audio", "1"))
    with caplog.at_level(logging.INFO):
        closing = look("one")
    counts = {"image_found": 8, "audio_found": 5, "text_found": 7, "names": 9}
    counts |= {"without_image": 1, "without_audio": 4, "without_text": 2, "with_all": 5, "new_media": 20}
    assert closing == {"run": "one", "dataset": DATASET, **counts}
    assert read_artefact(shop, "runs/one/scan").manifest.counts == counts
    for line in (
        "found: 8 image, 5 audio, 7 text",
        "9 items in total; missing image: 1, audio: 4, text: 2",
        "5 items with all of image, audio, text",
    ):
        assert line in caplog.messages


def test_the_plan_is_fixed(shop: Store) -> None:
    """What later steps read: options, pinned log, encoders; and the inventory of what the run is about."""
    look("one", modalities="text,image", models="ease,bpr", k=3, split="leave-one-out", seed=11)
    plan = read_plan(shop, "one")
    assert (plan.config.modalities, plan.config.models) == (["text", "image"], ["ease", "bpr"])
    assert (plan.config.k_core, plan.config.split, plan.config.seed) == (3, "leave-one-out", 11)
    assert (plan.interactions, plan.matrices) == (f"interactions/{DATASET}/one", {})
    assert plan.encoders == {m: f"tiny-{m}@0123456789ab-t1-float32" for m in ("text", "image")}
    table = read_artefact(shop, "runs/one/scan").frame("inventory.parquet")
    assert list(table.columns) == ["modality", "item", "key", "size", "etag", "sha256"]
    assert sorted(zip(table["modality"], table["item"], strict=True)) == [
        (m, i) for m in ("image", "text") for i in ITEMS
    ]
    assert set(table["key"]) == {key_of(m, i) for m in ("image", "text") for i in ITEMS}


def test_a_scan_imports_no_torch(folder_store: Store, history: History) -> None:
    """The identity of an encoder is known without its network: that would take seconds and memory in every night."""
    drop(folder_store, ITEMS, ["text"])
    load_log(folder_store, ITEMS)
    assert not scan_imports_torch("one", models="popularity")
    assert read_plan(folder_store, "one").encoders["text"].startswith("audioclip-demo@")


def test_an_unchanged_night_imports_no_torch_either(folder_store: Store, history: History, tmp_path: Path) -> None:
    """Models check their hyperparameters where these may be new; those of the last decided run were good."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "dataset: x\nmodalities: [text]\nencoder: x\nmodels: [ease]\nhyperparameters: {ease: {relative_l2: 3}}"
    )
    drop(folder_store, ITEMS, ["text"])
    load_log(folder_store, ITEMS)
    assert scan_imports_torch("one", config=str(path))
    decide(folder_store, history, "one")
    assert not scan_imports_torch("two", config=str(path))
    assert scan_imports_torch("three", config=str(path), force=True)


def test_a_plan_of_an_earlier_version_does_not_stop_the_next_night(shop: Store, history: History) -> None:
    """Whatever settings it has that there are no more."""
    look("one")
    decide(shop, history, "one")
    scanned = read_artefact(shop, "runs/one/scan")
    plan, inventory = scanned.json("plan.json"), scanned.frame("inventory.parquet")
    with write_artefact(shop, "runs/one/scan") as out:
        out.json("plan.json", plan | {"config": plan["config"] | {"mood": "blue"}})
        out.frame("inventory.parquet", inventory)
    assert look("two", k=4)["new_media"] == 0


def scan_imports_torch(run: str, **options: object) -> bool:
    """Whether a `scan` of the texts, with the encoder that comes with the package, does in a process of its own."""
    options |= {"run": run, "dataset": DATASET, "modalities": "text", "encoder": "audioclip-demo"}
    code = (
        "import sys; from contextlib import suppress; from tasks.errors import NothingToDo; "
        f"from tasks.steps.scan import scan\nwith suppress(NothingToDo): scan(**{options!r})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1] == "True"


def test_new_is_what_the_last_decided_run_did_not_have(shop: Store, history: History) -> None:
    """By content: three new items are new, one that was merely renamed is not; runs without a decision do not count."""
    look("one")
    decide(shop, history, "one")
    drop(shop, ["7", "8", "9"])
    look("two")
    shop.delete(key_of("image", "1"))
    shop.put(key_of("image", "10"), medium("image", "1"))
    assert look("three")["new_media"] == 9


@pytest.mark.fault("F15")
@pytest.mark.parametrize("promoted", [True, False], ids=["promoted", "rejected"])
def test_nothing_new_is_skipped_and_recorded(
    shop: Store, history: History, metrics_dsn: str, *, promoted: bool
) -> None:
    """Exit code 99 with a sentence, whether the last run was published or turned down; the run stands as skipped."""
    look("one")
    decide(shop, history, "one", promoted=promoted)
    what = "published a release" if promoted else "was rejected"
    with pytest.raises(NothingToDo, match=f"nothing is new since run one, which {what}") as skipped:
        look("two")
    assert skipped.value.exit_code == 99
    assert status(metrics_dsn, "two") == "skipped"
    assert not has_artefact(shop, "runs/two/scan")


def test_an_approval_is_planned_and_no_reason_to_train_again(shop: Store, history: History) -> None:
    """It decides what is served, not what is made; an option that is empty leaves it to the preset."""
    look("one", approval="required")
    plans = [read_artefact(shop, "runs/one/scan").json("plan.json")]
    look("two", approval="")
    plans.append(read_artefact(shop, "runs/two/scan").json("plan.json"))
    assert [plan["config"]["approval"] for plan in plans] == ["required", "none"]
    assert plans[0]["inputs_hash"] == plans[1]["inputs_hash"]
    with pytest.raises(BadInput, match="approval"):
        look("three", approval="ask")


def test_force_runs_anyway(shop: Store, history: History, metrics_dsn: str) -> None:
    """With nothing new."""
    look("one")
    decide(shop, history, "one")
    assert look("two", force=True)["new_media"] == 0
    assert status(metrics_dsn, "two") == "running"


def test_a_run_is_not_skipped_because_of_itself(shop: Store, history: History, metrics_dsn: str) -> None:
    """Cleared in the scheduler and run again, it does all over again what it did."""
    look("one")
    decide(shop, history, "one")
    assert look("one")["with_all"] == 6
    assert status(metrics_dsn, "one") == "running"


def test_a_run_that_never_ended_leaves_everything_to_do(shop: Store) -> None:
    """Only a decision makes media known."""
    look("one")
    assert look("two")["new_media"] == 18


def replace_medium(store: Store) -> dict[str, object]:
    store.put(key_of("image", "1"), medium("image", "99"))
    return {}


def swap_media(store: Store) -> dict[str, object]:
    for item, other in (("1", "2"), ("2", "1")):
        store.put(key_of("image", item), medium("image", other))
    return {}


def remove_item(store: Store) -> dict[str, object]:
    for modality in ("image", "audio", "text"):
        store.delete(key_of(modality, "1"))
    return {}


def new_log(store: Store) -> dict[str, object]:
    load_log(store, ITEMS, "two")
    return {}


def matrix_for_media(store: Store) -> dict[str, object]:
    for item in ITEMS:
        store.delete(key_of("text", item))
    load_matrix(store, "text", ITEMS)
    return {}


@pytest.mark.parametrize(
    "change",
    [
        replace_medium,
        swap_media,
        remove_item,
        new_log,
        matrix_for_media,
        lambda _: {"seed": 8},
        lambda _: {"k": 2},
        lambda _: {"split": "leave-one-out"},
        lambda _: {"models": "popularity,ease"},
        lambda _: {"modalities": "image,text"},
    ],
    ids=["medium", "swap", "removal", "log", "matrix", "seed", "k", "split", "models", "modalities"],
)
def test_whatever_decides_the_result_is_something_to_do(
    shop: Store, history: History, change: Callable[[Store], dict[str, object]]
) -> None:
    """Each alone, after a run that came to a decision."""
    look("one")
    decide(shop, history, "one")
    look("two", **change(shop))
    assert has_artefact(shop, "runs/two/scan")


def test_another_encoder_is_something_to_do(shop: Store, history: History, tiny: dict[str, TinyEncoder]) -> None:
    """The same name with other weights."""
    look("one")
    decide(shop, history, "one")
    tiny["audio"].identity = "tiny-audio@ffffffffffff-t1-float32"
    look("two")
    assert has_artefact(shop, "runs/two/scan")


def test_media_of_incomplete_items_wait(shop: Store, history: History) -> None:
    """Where they are dropped, a poster before its sound cannot change the result; with the sound, the run goes on."""
    look("one", missing="drop")
    decide(shop, history, "one")
    drop(shop, ["7"], ["image", "text"])
    with pytest.raises(NothingToDo):
        look("two", missing="drop")
    drop(shop, ["7"], ["audio"])
    assert look("three", missing="drop")["new_media"] == 3


def test_media_of_incomplete_items_are_new_where_gaps_are_filled(shop: Store, history: History) -> None:
    """A poster alone is enough for an item to arrive."""
    look("one")
    decide(shop, history, "one")
    drop(shop, ["7"], ["image"])
    assert look("two")["new_media"] == 1


def test_unchanged_media_are_not_read_again(shop: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Exchanged behind the store's back they keep the hashes of before; what changed as the store sees it is read."""
    look("one")
    before = read_artefact(shop, "runs/one/scan").frame("inventory.parquet").set_index("key")["sha256"]
    path = tmp_path / "store" / key_of("text", "2")
    stat, size = path.stat(), path.stat().st_size
    path.write_bytes(b"x" * size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    replace_medium(shop)
    look("two")
    after = read_artefact(shop, "runs/two/scan").frame("inventory.parquet").set_index("key")["sha256"]
    assert list(after[after != before].index) == [key_of("image", "1")]


def test_a_broken_index_costs_time_and_nothing_else(shop: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It is a cache: everything is hashed again, and that is said."""
    look("one")
    shop.put(f"index/{DATASET}.parquet", b"PAR1 no longer")
    assert look("two")["with_all"] == 6
    assert "all media are hashed again" in warnings_of(caplog)[0]


def test_a_run_about_one_modality_keeps_what_is_known_of_others(shop: Store, tmp_path: Path) -> None:
    """Runs of different modalities do not throw each other's hashes away."""
    look("one")
    look("two", modalities="text")
    index = (tmp_path / "store" / "index" / f"{DATASET}.parquet").stat().st_mtime_ns
    look("three")
    assert (tmp_path / "store" / "index" / f"{DATASET}.parquet").stat().st_mtime_ns == index


def test_a_medium_removed_meanwhile_is_left_out(folder_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Listed, then gone before it was read: the others count."""
    drop(folder_store, ["1", "2"], ["text"])
    objects = list_media(folder_store, DATASET)
    folder_store.delete(key_of("text", "1"))
    assert list(content_hashes(folder_store, DATASET, objects)) == [key_of("text", "2")]
    assert warnings_of(caplog) == [f"{key_of('text', '1')} was removed while the inventory was taken"]


def test_a_file_that_is_too_large_is_not_read(folder_store: Store) -> None:
    """Nobody downloads a terabyte to hash it: size and etag stand in for its content (here there is none to read)."""
    key, size = key_of("text", "1"), LARGEST["text"] + 1
    versions = [
        ObjectInfo(key, *facts, modified=datetime.now(UTC)) for facts in ((size, "a"), (size + 1, "a"), (size, "b"))
    ]
    hashes = [content_hashes(folder_store, DATASET, {"text": [info]}) for info in [*versions, versions[0]]]
    assert all(list(found) == [key] for found in hashes)
    assert len({found[key] for found in hashes}) == 3
    assert hashes[0] == hashes[-1]


def test_files_that_are_no_media_are_left_alone(shop: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A note, a part of a download and an odd name are said; hidden files and deeper folders are nobody's business."""
    folder = f"media/{DATASET}/image"
    strange = [f"{folder}/7.pdf", f"{folder}/8", f"{folder}/9.png.part", f"{folder}/10 .png"]
    for key in [*strange, f"{folder}/.DS_Store", f"{folder}/old/1.png", f"media/{DATASET}/video/1.mp4"]:
        shop.put(key, b"?")
    assert look("one")["image_found"] == 6
    (said,) = warnings_of(caplog)
    assert said.startswith("4 files are left alone")
    assert all(repr(key) in said for key in strange)


def test_endings_may_be_in_capitals(shop: Store) -> None:
    """As cameras write them."""
    shop.put(f"media/{DATASET}/image/7.JPG", medium("image", "7"))
    assert look("one")["image_found"] == 7


def test_a_matrix_takes_the_place_of_media(folder_store: Store, history: History, tiny: dict[str, TinyEncoder]) -> None:
    """Its items are counted as the others', and it needs no encoder."""
    drop(folder_store, ITEMS, ["image"])
    load_matrix(folder_store, "text", ["2", "3", "99"])
    load_log(folder_store, ITEMS)
    closing = look("one", modalities="image,text")
    assert (closing["text_found"], closing["names"], closing["with_all"]) == (3, 7, 2)
    plan = read_plan(folder_store, "one")
    assert plan.matrices == {"text": f"matrices/{DATASET}/text/one"}
    assert list(plan.encoders) == ["image"]


def test_a_matrix_is_of_the_feature_of_its_name(
    folder_store: Store, history: History, tiny: dict[str, TinyEncoder], tmp_path: Path
) -> None:
    """Media of the same modality go on being encoded for another feature."""
    drop(folder_store, ITEMS, ["text"])
    load_matrix(folder_store, "plot_minilm", ["2", "3", "99"])
    load_log(folder_store, ITEMS)
    path = tmp_path / "p.yaml"
    both = "{plot: {modality: text, encoder: tiny}, plot_minilm: {modality: text, encoder: none}}"
    path.write_text(f"dataset: shop\nmodels: [popularity]\nfeatures: {both}\n")
    closing = look("one", config=str(path), encoder=None)
    assert (closing["plot_found"], closing["plot_minilm_found"], closing["with_all"]) == (6, 3, 2)
    plan = read_plan(folder_store, "one")
    assert plan.matrices == {"plot_minilm": f"matrices/{DATASET}/plot_minilm/one"}
    assert plan.encoders == {"plot": tiny["text"].identity}
    path.write_text(path.read_text().replace("plot: {modality: text, encoder: tiny}, ", ""))
    assert look("two", config=str(path), encoder=None)["new_media"] == 0  # of media that no feature is made from


def test_matrices_alone_need_no_encoder(folder_store: Store, history: History) -> None:
    """Whatever its name."""
    load_matrix(folder_store, "text", ITEMS)
    load_log(folder_store, ITEMS)
    assert look("one", modalities="text", encoder="nobody")["with_all"] == 6


def two_endings(store: Store) -> None:
    store.put(f"media/{DATASET}/image/1.jpg", medium("image", "1"))


def two_writings(store: Store) -> None:
    store.put(f"media/{DATASET}/image/001.png", medium("image", "1"))


def writings_of_two_modalities(store: Store) -> None:
    store.delete(key_of("audio", "1"))
    store.put(key_of("audio", "01"), medium("audio", "1"))


def another_writing_in_the_log(store: Store) -> None:
    load_log(store, [f"{int(item):04d}" for item in ITEMS], "two")


def media_and_matrix(store: Store) -> None:
    load_matrix(store, "text", ITEMS)


def no_log(store: Store) -> None:
    store.delete(f"interactions/{DATASET}/current.json")


def no_sound(store: Store) -> None:
    for item in ITEMS:
        store.delete(key_of("audio", item))


def no_sound_decodes(store: Store) -> None:
    """What would be found only when the media are read, and so after what is wrong with the log."""
    for item in ITEMS:
        store.put(key_of("audio", item), b"no sound")


def no_times(store: Store) -> None:
    """Nor has the log times."""
    no_sound_decodes(store)
    load_log(store, ITEMS, timed=False)


def nothing_complete(store: Store) -> None:
    no_sound(store)
    store.put(key_of("audio", "77"), medium("audio", "77"))


@pytest.mark.parametrize(
    ("spoil", "options", "sentence"),
    [
        (two_endings, {}, "image files '1.jpg' and '1.png' found for one item, expected one file each"),
        (two_writings, {}, "image files '001.png' and '1.png' found for one item"),
        (writings_of_two_modalities, {}, "image has '1' and audio has '01', expected an id to be written one way"),
        (another_writing_in_the_log, {}, "image has '1' and the log has '0001', expected an id to be written one way"),
        (
            media_and_matrix,
            {},
            "text of 'shop' exists both as media and as precomputed embeddings, expected one: remove",
        ),
        (no_log, {}, "dataset 'shop' has no interactions, expected `load-interactions`"),
        (no_sound, {}, r"dataset 'shop' has no audio \(found: image, text\), expected media under media/shop/audio/"),
        (
            nothing_complete,
            {"missing": "drop"},
            "no item of 'shop' has all of image, audio, text, expected files with the same names",
        ),
        (None, {"dataset": "shoop"}, "dataset 'shoop' is not in file://.*, expected one of shop$"),
        (None, {"dataset": "../shop"}, "dataset"),
        (None, {"missing": "guess"}, "missing: .*'drop', 'zero', 'mean', 'linear' or 'em', found 'guess'"),
        (None, {"modalities": "image,smell"}, r"modalities.1: .*image.*audio.*text.*, found 'smell'"),
        (None, {"models": "popularity,oracle"}, f"models oracle found, expected some of {', '.join(MODELS)}"),
        (None, {"encoder": "clap"}, "encoder 'clap' is not in file://.*, expected tiny"),
        (
            no_sound_decodes,
            {"split": "given"},
            "a log without labels found, expected 0 .* in a column x_label",
        ),
        (no_times, {"split": "time"}, "split 'time' found for a log without timestamps, expected them"),
        (no_times, {"split": "leave-one-out"}, "split 'leave-one-out' found for a log without timestamps"),
        (None, {"split": "odd"}, "split: Input should be 'random', 'time', 'leave-one-out' or 'given', found 'odd'"),
        (None, {"config": "nigthly"}, "config 'nigthly' found nowhere, expected a YAML file or one of"),
    ],
)
def test_what_cannot_run_is_said_in_one_sentence(
    shop: Store, spoil: Callable[[Store], None] | None, options: dict[str, str], sentence: str
) -> None:
    """Found, expected, what to do; exit code 2, and no plan is written."""
    if spoil:
        spoil(shop)
    with pytest.raises((BadInput, NotFound), match=sentence) as error:
        look("one", **options)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert not has_artefact(shop, "runs/one/scan")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("ease: {relative_l2x: 3}", "model ease: unknown hyperparameter relative_l2x, expected some of"),
        ("bpr: {batch_size: 0}", "model bpr: batch_size: .*, found 0"),
    ],
)
def test_a_wrong_hyperparameter_is_said_before_the_night_begins(
    shop: Store, tmp_path: Path, given: str, sentence: str
) -> None:
    """Of any model in the preset, not after hours of encoding when that model is trained."""
    path = tmp_path / "p.yaml"
    path.write_text(f"dataset: shop\nmodalities: [text]\nencoder: tiny\nmodels: [ease]\nhyperparameters: {{{given}}}\n")
    before = list(shop.list(""))
    with pytest.raises(BadInput, match=sentence):
        look("one", config=str(path))
    assert list(shop.list("")) == before


def test_a_name_that_no_run_can_have_leaves_nothing_behind(shop: Store, metrics_dsn: str) -> None:
    """It is refused before the inventory is taken and before the database has a run of it."""
    before = list(shop.list(""))
    with pytest.raises(BadInput, match="run name 'a b' found"):
        look("a b")
    assert list(shop.list("")) == before
    assert runs(metrics_dsn) == {}


def test_an_encoder_must_know_each_modality(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """One for pictures alone does not run on sound."""
    del tiny["audio"]
    with pytest.raises(BadInput, match="encoder 'tiny' knows image, text and not audio"):
        look("one")


def test_an_empty_store_is_said_to_be_empty(folder_store: Store, history: History) -> None:
    """On the first day."""
    with pytest.raises(NotFound, match=r"dataset 'shop' is not in .*, expected one of \(none yet\)"):
        look("one")


def test_features_left_empty_are_not_given(shop: Store) -> None:
    """The DAG has one command line for both forms: the form of the preset stands."""
    look("one", features="")
    assert list(read_artefact(shop, "runs/one/scan").json("plan.json")["encoders"]) == ["image", "audio", "text"]


def test_accents_apart_in_the_store_meet_a_log_that_composes_them(
    folder_store: Store, history: History, tiny: dict[str, TinyEncoder], caplog: pytest.LogCaptureFixture
) -> None:
    """Objects that any client put there, and a matrix of an earlier version: no item is lost, and it is said."""
    assert history
    assert tiny
    apart, composed = "cafe\u0301", "caf\u00e9"
    drop(folder_store, [*ITEMS, apart], ["text", "audio"])
    load_matrix(folder_store, "image", [*ITEMS, apart])
    load_log(folder_store, [*ITEMS, composed])
    with caplog.at_level("INFO"):
        counts = look("r1")
    assert (counts["names"], counts["with_all"]) == (7, 7)
    assert "1 names of text are not composed (NFC), such as 'media/" in caplog.text
    drop(folder_store, [composed], ["text"])
    with pytest.raises(BadInput, match=r"text files 'cafe\\u0301\.txt' and 'caf\\xe9\.txt' found for one item"):
        look("r2")


def load_records(store: Store, titles: dict[str, str]) -> str:
    """Item records become the current ones; returns their prefix."""
    table = pa.table({"item_id": list(titles), "title": list(titles.values())})
    return replace_records(store, DATASET, Records(table), parameters={}).prefix


def test_the_plan_pins_the_records(shop: Store, history: History) -> None:
    """Of one version for the whole run; other records are something to do, and items without one are counted."""
    look("zero")
    without = read_plan(shop, "zero")
    assert (without.records, "with_record" in read_artefact(shop, "runs/zero/scan").manifest.counts) == (None, False)
    prefix = load_records(shop, {"1": "Ran", "2": "Heat", "99": "Elsewhere"})
    assert look("one")["with_record"] == 2
    plan = read_plan(shop, "one")
    assert plan.records == prefix
    assert plan.inputs_hash != without.inputs_hash
    decide(shop, history, "one")
    with pytest.raises(NothingToDo):
        look("two")
    load_records(shop, {"1": "Ran", "2": "Heat (1995)"})
    look("three")
    assert read_plan(shop, "one").records == prefix


def test_records_that_pad_their_numbers_are_refused(shop: Store) -> None:
    """They would name nothing, and nobody would know why."""
    load_records(shop, {"001": "Ran"})
    with pytest.raises(BadInput, match="has '1' and the item records has '001', expected an id to be written one way"):
        look("one")
