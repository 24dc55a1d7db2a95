"""`load-interactions` on a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.__main__ import main
from tasks.data import Interactions
from tasks.errors import BadInput
from tasks.steps.load_interactions import load_interactions
from tasks.store import Store, read_artefact
from tasks.store.pointers import current

LOG = "user_id,item_id,rating,timestamp\nu1,a,5,10\nu1,b,2,20\nu2,a,4,30\nu2,a,5,5\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of ratings with a repeated pair."""
    path = tmp_path / "ratings.csv"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_a_log_is_kept_by_its_content_and_becomes_the_current_one(folder_store: Store, log: Path) -> None:
    """The artefact holds the interactions, its manifest the counts, and the pointer leads to it."""
    closing = load_interactions(file=str(log), dataset="films", threshold=4)
    prefix = current(folder_store, "interactions/films")
    counts = {"rows": 4, "below_threshold": 1, "duplicates": 1, "interactions": 2, "users": 2, "items": 1}
    assert closing == {"log": prefix, "format": "csv", "changed": True, **counts}
    artefact = read_artefact(folder_store, str(prefix))
    assert artefact.manifest.counts == counts
    assert prefix == f"interactions/films/{artefact.manifest.files['interactions.parquet'].sha256}"
    kept = Interactions.load(artefact.path("interactions.parquet"))
    assert kept.user_ids[kept.users].tolist() == ["u1", "u2"]
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == [10, 5]


def test_the_same_log_again_is_the_same_version(
    folder_store: Store, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is written a second time, and it is said."""
    first = load_interactions(file=str(log), dataset="films", threshold=4)
    written = read_artefact(folder_store, str(first["log"])).manifest.created_at
    with caplog.at_level("INFO"):
        again = load_interactions(file=str(log), dataset="films", threshold=4)
    assert again == {**first, "changed": False}
    assert "this log is already the current one" in caplog.text
    assert read_artefact(folder_store, str(first["log"])).manifest.created_at == written


def test_another_log_takes_over_and_leaves_the_first_in_place(folder_store: Store, log: Path) -> None:
    """Runs that began with the first can go on with it, and going back to it is loading it again."""
    first = load_interactions(file=str(log), dataset="films", threshold=4)["log"]
    second = load_interactions(file=str(log), dataset="films", implicit=True)["log"]
    assert first != second
    assert current(folder_store, "interactions/films") == second
    assert read_artefact(folder_store, str(first)).manifest.counts["interactions"] == 2
    assert load_interactions(file=str(log), dataset="films", threshold=4)["changed"] is True
    assert current(folder_store, "interactions/films") == first


def test_the_format_and_the_counts_are_said(folder_store: Store, log: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was decided, what was left out, and what is left."""
    with caplog.at_level("INFO"):
        load_interactions(file=str(log), dataset="films", threshold=4)
    assert caplog.messages[:5] == [
        "ratings.csv read as csv (by its name and first line): 4 rows",
        "user: user_id, item: item_id, rating: rating (>= 4), time: timestamp; ignored: none",
        "1 rows rated below 4 left out",
        "1 rows with repeated pairs of user and item left out",
        "2 interactions / 2 users / 1 items",
    ]
    assert folder_store.url.startswith("file://")


def test_what_is_ignored_is_a_warning_and_what_was_used_is_kept(
    folder_store: Store, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The manifest tells later what each column was."""
    log.write_text("user;movie;stars;when;comment\nu;a;5;10;good\nv;a;1;11;bad\n", encoding="utf-8")
    closing = load_interactions(
        file=str(log),
        dataset="films",
        item_column="movie",
        rating_column="stars",
        timestamp_column="when",
        delimiter=";",
        threshold=4,
    )
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert warned[0].startswith("columns are ignored: comment (--user-column")
    used = {"user": "user", "item": "movie", "rating": "stars", "timestamp": "when", "label": None}
    manifest = read_artefact(folder_store, str(closing["log"])).manifest
    assert manifest.parameters["columns"] == used | {"ignored": ["comment"]}


def test_a_row_of_one_star_is_no_like_in_silence(
    folder_store: Store, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was, where the column had another name than `rating`."""
    log.write_text("user,item,stars\nu,a,5\nv,a,1\n", encoding="utf-8")
    assert main(["load-interactions", str(log), "--dataset", "films"]) == 2
    said = capsys.readouterr().err
    assert "'stars' (1, 5); expected --rating-column stars with --threshold" in said
    assert current(folder_store, "interactions/films") is None
    words = ["load-interactions", str(log), "--dataset", "films", "--rating-column", "stars", "--threshold", "4"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["interactions"] == 1


def test_times_that_cannot_be_read_can_be_left_out(
    folder_store: Store, log: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A column `date` may hold anything; no usual name of times must keep a log out."""
    log.write_text("user,item,date\nu,a,31/12/2020\nv,a,spring\n", encoding="utf-8")
    assert main(["load-interactions", str(log), "--dataset", "films"]) == 2
    said = capsys.readouterr().err
    assert "the time '31/12/2020' in row 1" in said
    assert "--no-timestamp" in said
    assert main(["load-interactions", str(log), "--dataset", "films", "--no-timestamp"]) == 0
    assert "columns are ignored: date" in caplog.text
    interactions = read_artefact(folder_store, str(current(folder_store, "interactions/films")))
    assert "timestamp" not in pq.read_schema(interactions.path("interactions.parquet")).names
    both = ["--no-timestamp", "--timestamp-column", "date"]
    assert main(["load-interactions", str(log), "--dataset", "films", *both]) == 2
    assert "both --timestamp-column date and --no-timestamp" in capsys.readouterr().err


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "x" * 65])
def test_a_dataset_needs_a_plain_name(log: Path, name: str) -> None:
    """The name becomes part of keys."""
    with pytest.raises(BadInput, match=r"dataset .* found, expected"):
        load_interactions(file=str(log), dataset=name, implicit=True)


@pytest.mark.usefixtures("folder_store")
def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    """It exists, so its name is not what is wrong."""
    with pytest.raises(BadInput, match=f"{tmp_path} is a folder, expected a file"):
        load_interactions(file=str(tmp_path), dataset="films", implicit=True)


def test_a_log_that_is_refused_changes_nothing(folder_store: Store, log: Path) -> None:
    """The pointer moves only after everything else has been well."""
    first = load_interactions(file=str(log), dataset="films", threshold=4)["log"]
    log.write_text(LOG + "u3,,1,1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="row 5"):
        load_interactions(file=str(log), dataset="films", threshold=4)
    assert current(folder_store, "interactions/films") == first


def test_it_is_a_command(folder_store: Store, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option works as typed, and what is wrong is one line and exit code 2."""
    words = ["load-interactions", str(log), "--dataset", "films", "--format", "csv", "--user-column", "user_id"]
    words += ["--item-column", "item_id", "--rating-column", "rating", "--time-column", "timestamp", "--delimiter", ","]
    assert main([*words, "--threshold", "4.5"]) == 0
    closing = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert closing["log"] == current(folder_store, "interactions/films")
    assert closing["interactions"] == 2
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--threshold" in error
    assert "--implicit" in error


@pytest.mark.services
def test_it_works_on_s3(s3_store: Store, log: Path) -> None:
    """The same on a real S3 server."""
    closing = load_interactions(file=str(log), dataset="films", implicit=True)
    assert read_artefact(s3_store, str(current(s3_store, "interactions/films"))).manifest.counts["items"] == 2
    assert load_interactions(file=str(log), dataset="films", implicit=True) == {**closing, "changed": False}
