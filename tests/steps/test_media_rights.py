"""What commands that decode media may do with their own key of the store, on servers that enforce it.

SeaweedFS, of the stack without Docker, and a server with MinIO's own users and policies, made by `provision`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from local.s3 import BUCKET, MEDIA_WRITES, start_s3
from tasks.__main__ import COMMANDS, main
from tasks.errors import BadInput
from tasks.store import Store, layout, open_store, read_artefact
from tasks.store.pointers import point
from tests import minio_server

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
FILMS, BROKEN = 60, 3  # one of them in each modality
LARGE = 6 << 20  # bytes; above 5 MiB the SDK uploads in parts
KEY = ("RECSYS_S3_ACCESS_KEY", "RECSYS_S3_SECRET_KEY")
MEDIA = ("RECSYS_S3_MEDIA_ACCESS_KEY", "RECSYS_S3_MEDIA_SECRET_KEY")
MINIO = {  # settings of `provision`
    "RECSYS_S3_SECURE": "false",
    "RECSYS_S3_ROOT_USER": minio_server.ROOT[0],
    "RECSYS_S3_ROOT_PASSWORD": minio_server.ROOT[1],
    **dict(zip(KEY, ("tasks-user", "tasks-secret-1"), strict=True)),
    **dict(zip(MEDIA, ("media-user", "media-secret-1"), strict=True)),
    "RECSYS_S3_READER_ACCESS_KEY": "reader-user",
    "RECSYS_S3_READER_SECRET_KEY": "reader-secret-1",
}


def on_minio(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of an installation that `provision` has made."""
    settings = MINIO | {"RECSYS_S3_ENDPOINT": request.getfixturevalue("minio"), "RECSYS_STORE": f"s3://{BUCKET}"}
    with pytest.MonkeyPatch.context() as patch:
        put(patch, settings | {"RECSYS_METRICS_DSN": request.getfixturevalue("postgres_server")})
        assert main(["provision"]) == 0
    return settings


def put(patch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> None:
    """Set variables of the environment."""
    for name, value in settings.items():
        patch.setenv(name, value)


@pytest.fixture(scope="module", params=["seaweedfs", "minio"])
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of an installation with both keys, whose run `r` has been scanned, and which has a release."""
    if request.param == "minio":
        yield prepare(on_minio(request))
    else:
        with start_s3(tmp_path_factory.mktemp("s3")) as found:
            yield prepare(dict(found) | {"RECSYS_STORE": f"s3://{BUCKET}"})


def prepare(settings: dict[str, str]) -> dict[str, str]:
    """Load films and scan them, with the tasks' key."""
    with pytest.MonkeyPatch.context() as patch:
        put(patch, settings | {"RECSYS_METRICS_DSN": "none"})
        films = ["--items", str(FILMS), "--users", "60", "--corrupt", str(BROKEN)]
        assert main(["demo-catalogue", "--load", "demo", *films]) == 0
        assert main(["scan", "--run", "r", "--dataset", "demo", "--models", "popularity"]) == 0
        open_store().put("releases/demo/one/manifest.json", b"{}")
    return settings


@pytest.fixture
def tasks_store(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    """The bucket with the tasks' key; the environment has that of the media."""
    put(monkeypatch, settings)
    store = open_store()
    for name, instead in zip(KEY, MEDIA, strict=True):
        monkeypatch.setenv(name, settings[instead])
        monkeypatch.delenv(instead)
    monkeypatch.delenv("RECSYS_METRICS_DSN", raising=False)
    return store


def test_media_are_extracted_and_encoded(tasks_store: Store) -> None:
    """Also again, in place of what is there, and with the broken films in quarantine; no database is asked for."""
    for feature in ("text", "text", "image"):
        assert main(["extract", "--run", "r", "--feature", feature]) == 0
        made = read_artefact(tasks_store, f"runs/r/extract-{feature}")
        made.verify()
        assert made.manifest.counts["kept"] == FILMS - 1
        names = {info.key.rpartition("/")[2] for info in tasks_store.list(f"quarantine/r/{feature}/")}
        assert (len(names), "reasons.json" in names) == (2, True)
    assert main(["encode", "--run", "r", "--feature", "audio"]) == 0
    assert any(tasks_store.list("embeddings/"))


@pytest.mark.slow
def test_an_encoder_is_trained(tasks_store: Store) -> None:
    """Its checkpoints come and go, and its weights and the pointer to them are written."""
    words = ["--epochs", "2", "--batch", "8", "--threads", "1", "--modalities", "image,text"]
    for more in ([], ["--start-from", "ours"]):
        assert main(["train-encoder", "--dataset", "demo", "--name", "ours", *words, *more]) == 0
    assert not list(tasks_store.list("training/"))
    assert "current.json" in {info.key.rpartition("/")[2] for info in tasks_store.list("weights/ours/")}


@pytest.mark.parametrize(
    "words",
    [
        ["align", "--run", "r"],
        ["scan", "--run", "r2", "--dataset", "demo", "--models", "popularity"],
        ["load-media", "FOLDER", "--dataset", "demo"],
        ["load-interactions", "LOG", "--dataset", "demo"],
    ],
)
def test_no_other_step_and_no_input_is_written(
    tasks_store: Store,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence says what was refused, and the exit code that trying again is of no use."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "film-9999.txt").write_text("A story.")
    (tmp_path / "log.csv").write_text("user_id,item_id\na,film-0001\n")
    assert main(["extract", "--run", "r", "--feature", "text"]) == main(["extract", "--run", "r", "--feature", "audio"])
    assert main(["extract", "--run", "r", "--feature", "image"]) == 0
    before = list(tasks_store.list(""))
    capsys.readouterr()
    places = {"FOLDER": str(tmp_path), "LOG": str(tmp_path / "log.csv")}
    assert main([places.get(word, word) for word in words]) == 2
    said = capsys.readouterr().err
    assert "refused access to s3://recsys/" in said
    assert "(AccessDenied)" in said
    assert said.count("\n") == 1
    assert list(tasks_store.list("")) == before


@pytest.mark.usefixtures("tasks_store")
def test_the_champion_cannot_be_moved(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no database in the environment of such a command."""
    assert main(["rollback", "--dataset", "demo", "--release", "one"]) == 2
    assert "RECSYS_METRICS_DSN is not set" in capsys.readouterr().err


ATTEMPTS: dict[str, Callable[[Store], object]] = {
    "a release": lambda store: store.put("releases/demo/two/manifest.json", b"{}"),
    "an object of a release": lambda store: store.put("releases/demo/one/manifest.json", b"[]"),
    "the end of a release": lambda store: store.delete("releases/demo/one/manifest.json"),
    "a release moved away": lambda store: store.move("releases/demo/one/manifest.json", "embeddings/x"),
    "a release by copy": lambda store: store.copy("releases/demo/one/manifest.json", "releases/demo/two/x"),
    "a large one": lambda store: store.put("releases/demo/one/x", bytes(LARGE)),
    "another model": lambda store: store.put("runs/r/train-bpr/manifest.json", b"{}"),
    "another plan": lambda store: store.put("runs/r/scan/plan.json", b"{}"),
    "a decision": lambda store: store.put("runs/r/publish/decision.json", b"{}"),
    "no plan": lambda store: store.delete("runs/r/scan/manifest.json"),
    "a log": lambda store: store.put("interactions/demo/x/manifest.json", b"{}"),
    "the pointer to the log": lambda store: point(store, "interactions/demo", "x"),
    "the pointer to a matrix": lambda store: point(store, "matrices/demo/image", "x"),
    "a medium": lambda store: store.put("media/demo/image/film-0001.jpg", b""),
    "no medium": lambda store: store.delete(next(iter(store.list("media/demo/image/"))).key),
    "the index": lambda store: store.put("index/demo.parquet", b""),
    "a key of no kind": lambda store: store.put("x", b""),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_whatever_takes_such_a_command_over_can_write_nothing_else(tasks_store: Store, attempt: str) -> None:
    """With the key that it finds in its environment."""
    keys = {info.key: info.etag for info in tasks_store.list("") if not info.key.startswith("embeddings/")}
    with pytest.raises(BadInput, match=r"refused access to s3://recsys/.* \(AccessDenied\)"):
        ATTEMPTS[attempt](open_store())
    after = {info.key: info.etag for info in tasks_store.list("") if not info.key.startswith("embeddings/")}
    assert after == keys


@pytest.mark.usefixtures("tasks_store")
def test_large_objects_are_written_in_parts() -> None:
    """Vectors of a million items, and checkpoints, are."""
    store = open_store()
    for key in ("embeddings/x", "runs/r/extract-image/.new-1/vectors.npy", "training/x/checkpoint", "weights/x/1/x"):
        store.put(key, bytes(LARGE))
        assert store.stat(key).size == LARGE
        store.delete(key)


def test_both_stacks_have_the_same_rights() -> None:
    """What the stack without Docker cannot import in time is what `provision` gives."""
    assert MEDIA_WRITES == layout.MEDIA_WRITES


def test_the_commands_that_decode_media_are_those_with_the_lesser_key() -> None:
    """Decoding starts in two places; a command that gets there needs a line in the launcher."""
    launcher = (ROOT / "plugins/recsys/launch/settings.py").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^MEDIA_COMMANDS = frozenset\(\{(.*)\}\)$", launcher, re.MULTILINE)
    modules = {name: place.partition(":")[0].replace(".", "/") for name, place in COMMANDS.items()}
    decoding = {
        name
        for name, module in modules.items()
        if re.search(r"\b(encode_unknown|EncoderTraining)\(", (ROOT / f"{module}.py").read_text(encoding="utf-8"))
    }
    assert set(re.findall('"(.*?)"', listed)) == decoding
