"""`recommend`: what a person or a program gets out of a release, and what is said to a question that has no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.__main__ import main
from tasks.data import Dataset
from tasks.data.records import Records
from tasks.models import build_model
from tasks.releases.server import Ranked, ReleaseServer
from tasks.steps.publish import publish
from tasks.steps.rollback import rollback
from tasks.store import FolderStore, History, Store, write_artefact
from tasks.training import TrainingOptions
from tests.released import released
from tests.steps.night import DATASET, reach_publish
from tests.world import random_world

ITEM_IDS = np.array([f"tt{n}" for n in range(10)] + ["tt3,tt4"])


@pytest.fixture
def data() -> Dataset:
    """Twelve users, eleven items; an id with a comma in it is two others."""
    return replace(random_world(12, 11), name="films", item_ids=ITEM_IDS, features={})


@pytest.fixture
def served(folder_store: FolderStore, data: Dataset) -> ReleaseServer:
    """A release r1 of EASE."""
    model = build_model("ease", {}, data)
    model.fit(TrainingOptions())
    return ReleaseServer(released(folder_store, model, data))


Ask = Callable[..., Any]


@pytest.fixture
def ask(served: ReleaseServer, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The JSON that the command prints, and nothing else."""

    def asked(*options: str) -> Any:
        capsys.readouterr()
        assert main(["recommend", "--dataset", "films", "--release", "r1", "--json", *options]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        return json.loads(line)

    return asked


def items(answer: Any) -> list[str]:
    """Item ids of the only answer, best first."""
    (found,) = answer["answers"]
    return [row["item"] for row in found["items"]]


def test_each_user_is_answered(ask: Ask, served: ReleaseServer) -> None:
    """In the order of the question, with items and scores of the release."""
    found = ask("--user", "user 3", "--user", "user 1", "--k", "4")
    assert (found["dataset"], found["release"], found["model"]) == ("films", "r1", "ease")
    assert [answer["user"] for answer in found["answers"]] == ["user 3", "user 1"]
    for answer in found["answers"]:
        expected = served.recommend(answer["user"], 4)
        assert [Ranked(**row) for row in answer["items"]] == expected


def test_ids_may_be_asked_for_with_accents_apart(folder_store: FolderStore, data: Dataset) -> None:
    """Also of a release of an earlier version, which has them as they were in its log; answers are composed."""
    apart, composed = "Jose\u0301", "Jos\u00e9"
    ids = np.array([apart, *data.user_ids[1:]])
    items = np.array([apart, *data.item_ids[1:]])
    named = replace(data, user_ids=ids, item_ids=items)
    model = build_model("ease", {}, named)
    model.fit(TrainingOptions())
    server = ReleaseServer(released(folder_store, model, named))
    assert server.recommend(apart, 3) == server.recommend(composed, 3)
    assert server.similar(apart, 3) == server.similar(composed, 3)
    assert server.knows(apart)
    shown = [ranked.item for ranked in server.similar("tt2", 10)]
    assert composed in shown
    assert apart not in shown


def test_a_person_gets_a_table(served: ReleaseServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Which release answers, then ranks, scores and items; no log and no JSON."""
    assert main(["recommend", "--dataset", "films", "--release", "r1", "--similar-to", "tt2", "--k", "2"]) == 0
    (first, a, _), (second, b, _) = served.similar("tt2", 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["Release r1 of films, model ease.", "", "Similar to tt2:"]
    assert lines[3:] == [f"     1  {a:>10.4f}  {first}", f"     2  {b:>10.4f}  {second}"]


def test_items_are_shown_with_what_is_known_of_them(
    folder_store: FolderStore, data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """Titles in the table, whole records in JSON, titles in the lists; an item without a record stays its id."""
    model = build_model("ease", {}, data)
    model.fit(TrainingOptions())
    seen = [pa.scalar(date(1985, 6, 1), pa.date32()).as_py(), None, None]
    titles = pa.table({"item_id": ["tt0", "tt1", "gone"], "title": ["Ran", "Heat", "No"], "seen": seen})
    made = released(folder_store, model, data, records=Records(titles))
    options = ["recommend", "--dataset", "films", "--release", "r1", "--similar-to", "tt0", "--k", "10"]
    capsys.readouterr()
    assert main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "Similar to tt0  Ran:"
    assert {line.split(maxsplit=2)[2] for line in lines[3:]} == ({*ITEM_IDS.tolist()} - {"tt0", "tt1"}) | {"tt1  Heat"}
    assert main([*options, "--include-seen", "--json"]) == 2
    assert main(["recommend", "--dataset", "films", "--release", "r1", "--user", "user 1", "--k", "11", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["answers"][0]["items"]
    assert {row["item"]: row.get("record") for row in found}.items() <= {
        **dict.fromkeys(ITEM_IDS.tolist()),
        "tt0": {"title": "Ran", "seen": "1985-06-01"},
        "tt1": {"title": "Heat"},
    }.items()
    assert Records.load(made.path("items.parquet")).ids.tolist() == ["tt0", "tt1"]
    for name, column in (("recommendations.parquet", "item_id"), ("similar_items.parquet", "similar_id")):
        table = made.frame(name)
        assert dict(zip(table[column], table["title"].fillna(""), strict=True)) == {
            **dict.fromkeys(set(table[column]), ""),
            "tt0": "Ran",
            "tt1": "Heat",
        }


def test_what_a_user_took_in_any_split_is_left_out_unless_asked_for(ask: Ask, data: Dataset) -> None:
    """Of the whole catalogue exactly the rest is left; with --include-seen all of it."""
    history = set(ITEM_IDS[(data.train + data.valid + data.test)[[4]].indices])
    assert data.test[[4]].nnz
    assert set(items(ask("--user", "user 4", "--k", "11"))) == set(ITEM_IDS) - history
    assert set(items(ask("--user", "user 4", "--k", "11", "--include-seen"))) == set(ITEM_IDS)


def test_a_history_is_left_out_unless_asked_for(ask: Ask) -> None:
    """As the items of known users are."""
    assert set(items(ask("--history", "tt0", "--history", "tt5", "--k", "11"))) == set(ITEM_IDS) - {"tt0", "tt5"}
    assert set(items(ask("--history", "tt0", "--k", "11", "--include-seen"))) == set(ITEM_IDS)


def test_commas_part_items_but_for_an_id_that_has_one(ask: Ask) -> None:
    """Several options and one with commas are the same question."""
    assert ask("--history", "tt0, tt5,") == ask("--history", "tt0", "--history", "tt5")
    assert ask("--history", "tt3,tt4")["answers"][0]["history"] == ["tt3,tt4"]
    assert ask("--history", "tt4,tt3")["answers"][0]["history"] == ["tt4", "tt3"]


def test_the_order_and_number_of_times_of_a_history_do_not_matter_to_an_item_item_model(ask: Ask) -> None:
    """To the bit; `test_kinds.py` has one to which order matters."""
    assert ask("--history", "tt5,tt0,tt5")["answers"][0]["items"] == ask("--history", "tt0,tt5")["answers"][0]["items"]


@pytest.mark.parametrize("question", [["--user", "user 4"], ["--history", "tt0"], ["--similar-to", "tt0"]])
def test_excluded_items_are_not_shown_and_others_take_their_place(ask: Ask, question: list[str]) -> None:
    """Whatever the question is."""
    first, *rest = items(ask(*question, "--k", "3"))
    assert items(ask(*question, "--k", "2", "--exclude", first)) == rest


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--user nobody", "unknown id 'nobody' found, expected ids of the 12 users of release r1, such as"),
        ("--history tt0,x,y", "2 unknown ids 'x', 'y' found, expected ids of the 11 items of release r1"),
        ("--history a,b,c,d,e,f,g", "7 unknown ids 'a', 'b', 'c', 'd', 'e', ... found, expected"),
        ("--similar-to x", "id 'x' found, expected ids of the 11 items of release r1, such as 'tt0', 'tt1', 'tt2'"),
        ("--similar-to tt0 --exclude x", "unknown id 'x' found, expected ids of the 11 items"),
        ("--history ,", "a history without items found, expected at least one"),
        ("", "none of --user, --history and --similar-to found, expected one"),
        ("--history tt0 --similar-to tt0", "--history and --similar-to of --user"),
        ("--similar-to tt0 --include-seen", "--include-seen found with --similar-to"),
        ("--similar-to tt0 --k 12", "k of 12 found, expected 1 to 11, the size of the catalogue"),
        ("--similar-to tt0 --k 0", "--k"),
        ("--similar-to tt0 --release r9", "releases/films/r9 is not in"),
    ],
)
def test_a_question_without_an_answer_is_one_sentence(
    served: ReleaseServer, capsys: pytest.CaptureFixture[str], options: str, sentence: str
) -> None:
    """What was found and what is expected, and exit code 2."""
    assert main(["recommend", "--dataset", "films", "--release", "r1", *options.split()]) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_an_earlier_release_says_that_it_cannot_answer(
    folder_store: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than which file is absent."""
    with write_artefact(folder_store, "releases/films/old") as out:
        out.json("config.json", {})
    assert main(["recommend", "--dataset", "films", "--release", "old", "--similar-to", "x"]) == 2
    assert "releases/films/old has no serving.json, serving.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["serving.safetensors", "histories.safetensors"])
def test_a_flipped_byte_gives_no_answer(
    served: ReleaseServer, folder_store: FolderStore, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Files are compared with their manifest before anything is made of them."""
    data = bytearray(folder_store.get(f"releases/films/r1/{name}"))
    data[-1] ^= 1
    folder_store.put(f"releases/films/r1/{name}", bytes(data))
    assert main(["recommend", "--dataset", "films", "--release", "r1", "--similar-to", "tt0"]) == 1
    assert f"releases/films/r1/{name} has sha256" in capsys.readouterr().err


@pytest.mark.services
def test_what_is_served_answers_from_the_release_alone(
    folder_store: Store, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two releases the champion, before and after a rollback, with everything else gone from the store."""
    names = []
    for run, score in (("r1", 0.3), ("r2", 0.4)):
        reach_publish(folder_store, history, run, {"ease": score}, log_seed=len(names))
        names.append(str(publish(run=run, force_publish=True)["release"]))
    for info in list(folder_store.list("")):
        if not info.key.startswith("releases/"):
            folder_store.delete(info.key)
    for expected in reversed(names):
        capsys.readouterr()
        assert main(["recommend", "--dataset", DATASET, "--user", "viewer 3", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["release"], len(found["answers"][0]["items"])) == (expected, 10)
        if expected == names[1]:
            rollback(dataset=DATASET)


@pytest.mark.services
def test_a_dataset_without_a_release_says_so(
    folder_store: Store, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is recommended from a run that was not published."""
    assert main(["recommend", "--dataset", "music", "--user", "x"]) == 2
    assert "dataset 'music' has no release" in capsys.readouterr().err


def test_a_wrong_release_is_answered_with_the_known_ones(
    served: ReleaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those in the store; a reader may have no database."""
    for dataset, expected in (("films", "expected one of r1"), ("flims", "expected a run of the dataset to have")):
        assert main(["recommend", "--dataset", dataset, "--release", "r2", "--user", "a"]) == 2
        assert expected in capsys.readouterr().err
