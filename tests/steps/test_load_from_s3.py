"""`load-interactions s3://bucket/key` on a real S3 server."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from tasks.__main__ import main
from tasks.data import Interactions
from tasks.errors import BadInput, NotFound, TaskError
from tasks.steps.load_interactions import load_interactions
from tasks.store import Store, logs, open_store, read_artefact, sources

LOG = b"user_id,item_id,rating,timestamp\nu1,a,5,10\nu1,b,2,20\nu2,a,4,30\nu2,a,5,5\n"


def parquet() -> bytes:
    """The log as Parquet."""
    file = io.BytesIO()
    pq.write_table(pcsv.read_csv(io.BytesIO(LOG)), file)
    return file.getvalue()


@pytest.fixture
def source(s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A bucket with other things; the store that is loaded into is a folder, and what is temporary can be seen."""
    monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path / 'store'}")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    return s3_store


FILES: Mapping[str, Callable[[], bytes]] = {
    "exports/ratings.csv": lambda: LOG,
    "ratings.tsv": lambda: LOG.replace(b",", b"\t"),
    "ratings.inter": lambda: LOG.replace(b",", b"\t"),
    "ratings.csv.gz": lambda: gzip.compress(LOG),
    "a folder/ratings.parquet": parquet,
    "without-suffix": parquet,
}


@pytest.mark.services
@pytest.mark.parametrize("key", FILES)
def test_an_object_is_read_as_a_file_is(
    source: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    """Whatever its format, and messages and manifest name its address; nothing of it is left on this machine."""
    source.put(key, FILES[key]())
    url = f"{source.url}/{key}"
    with caplog.at_level("INFO"):
        closing = load_interactions(file=url, dataset="films", threshold=4)
    assert (closing["interactions"], closing["below_threshold"], closing["duplicates"]) == (2, 1, 1)
    assert caplog.messages[0].startswith(f"{url} read as ")
    artefact = read_artefact(open_store(), str(closing["log"]))
    assert artefact.manifest.parameters["source"] == url
    kept = Interactions.load(artefact.path(logs.FILE))
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == [10, 5]
    left = [path.name for path in (tmp_path / "scratch").iterdir() if not path.name.startswith("recsys-")]
    assert left == []
    assert not list((tmp_path / "scratch").rglob("log"))


@pytest.mark.services
def test_what_is_wrong_is_said_of_the_address(source: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The same checks, row by row."""
    url = f"{source.url}/day.csv"
    source.put("day.csv", LOG + b"u3,,1,1\n")
    assert main(["load-interactions", url, "--dataset", "films", "--threshold", "4"]) == 2
    said = capsys.readouterr().err
    assert f"column item_id of {url} has the id '' in row 5" in said
    source.put("day.csv", b"")
    assert main(["load-interactions", url, "--dataset", "films"]) == 2
    assert f"{url} is empty" in capsys.readouterr().err


@pytest.mark.services
def test_it_is_added_to_a_log_in_the_same_store(
    s3_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a job drops into the bucket every day."""
    s3_store.put("incoming/1.csv", LOG)
    s3_store.put("incoming/2.csv", b"user_id,item_id,rating,timestamp\nu9,a,5,10\n")
    words = ["--dataset", "films", "--threshold", "4"]
    assert main(["load-interactions", f"{s3_store.url}/incoming/1.csv", *words]) == 0
    assert main(["load-interactions", f"{s3_store.url}/incoming/2.csv", *words, "--append"]) == 0
    closing = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (closing["added"], closing["interactions"]) == (1, 3)


@pytest.mark.services
def test_what_is_not_there_is_named_and_no_bucket_is_made(source: Store) -> None:
    """A missing object, and a missing bucket."""
    for url in (f"{source.url}/none.csv", "s3://no-such-bucket-here/none.csv"):
        for _ in range(2):
            with pytest.raises(NotFound, match=f"^{url} does not exist, expected an object$"):
                load_interactions(file=url, dataset="films")


@pytest.mark.services
def test_a_wrong_key_is_bad_input(source: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the address and the settings, and no key."""
    source.put("log.csv", LOG)
    monkeypatch.setenv("RECSYS_S3_SECRET_KEY", "not-the-one")
    with pytest.raises(BadInput, match=rf"refused access to {source.url}/log\.csv .*RECSYS_S3_SECRET_KEY") as caught:
        load_interactions(file=f"{source.url}/log.csv", dataset="films")
    assert "not-the-one" not in str(caught.value)
    monkeypatch.delenv("RECSYS_S3_SECRET_KEY")
    with pytest.raises(BadInput, match="RECSYS_S3_SECRET_KEY is not set"):
        load_interactions(file=f"{source.url}/log.csv", dataset="films")


@pytest.mark.services
def test_what_is_too_large_is_not_fetched(source: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the limit, or for the disk."""
    source.put("log.csv", LOG)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=50))
    with pytest.raises(TaskError, match=r"log\.csv has 72 B and .* 50 B left, expected room for a copy .TMPDIR"):
        load_interactions(file=f"{source.url}/log.csv", dataset="films")
    monkeypatch.setattr(sources, "LARGEST", 71)
    with pytest.raises(BadInput, match=r"log\.csv has 72 B, expected at most 71 B"):
        load_interactions(file=f"{source.url}/log.csv", dataset="films")


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://bucket", "s3://bucket found, expected s3://bucket/key of one object"),
        ("s3://bucket/folder/", "expected s3://bucket/key of one object"),
        ("s3://key:secret@bucket/log.csv", "the keys stand in RECSYS_S3"),
        ("https://me:secret@example.org/log.csv", "an address https://... found, expected a file"),
        ("file:///data/log.csv", "an address file://... found, expected a file of this machine, s3://"),
    ],
)
def test_an_address_that_is_none_of_these_is_refused(
    capsys: pytest.CaptureFixture[str], place: str, message: str
) -> None:
    """Before anything is asked of a server, and without saying more of it than its kind."""
    assert "RECSYS_S3_ENDPOINT" not in os.environ
    assert main(["load-interactions", place, "--dataset", "films"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "secret" not in said
