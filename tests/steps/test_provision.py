"""`provision` with a server that has MinIO's own users and policies, and with one that has none."""

from __future__ import annotations

import json

import pytest
from minio import Minio
from minio.error import S3Error

from tasks.__main__ import main
from tasks.errors import BadInput
from tasks.store import open_history, open_store
from tasks.store.s3 import S3Store
from tests.minio_server import ROOT

pytestmark = pytest.mark.services
TASKS = ("tasks-user", "tasks-secret-1")
READER = ("reader-user", "reader-secret-1")
MEDIA = ("media-user", "media-secret-1")
BUCKET = "films"


@pytest.fixture
def _settings(minio: str, empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the compose file sets them."""
    for name, value in {
        "RECSYS_STORE": f"s3://{BUCKET}",
        "RECSYS_S3_ENDPOINT": minio,
        "RECSYS_S3_SECURE": "false",
        "RECSYS_S3_ACCESS_KEY": TASKS[0],
        "RECSYS_S3_SECRET_KEY": TASKS[1],
        "RECSYS_S3_MEDIA_ACCESS_KEY": MEDIA[0],
        "RECSYS_S3_MEDIA_SECRET_KEY": MEDIA[1],
        "RECSYS_S3_READER_ACCESS_KEY": READER[0],
        "RECSYS_S3_READER_SECRET_KEY": READER[1],
        "RECSYS_S3_ROOT_USER": ROOT[0],
        "RECSYS_S3_ROOT_PASSWORD": ROOT[1],
        "RECSYS_METRICS_DSN": empty_dsn,
    }.items():
        monkeypatch.setenv(name, value)


def client(endpoint: str, user: tuple[str, str]) -> Minio:
    """The SDK with one user's key."""
    return Minio(endpoint, access_key=user[0], secret_key=user[1], secure=False, region="us-east-1")


@pytest.mark.usefixtures("_settings")
def test_bucket_users_and_schema_are_made_and_repeating_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    """What compose runs at every start; then the tasks can work."""
    for _ in range(2):
        assert main(["provision"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"bucket": BUCKET, "users": [TASKS[0], MEDIA[0], READER[0]], "migrations": []}
    store = open_store()
    store.put("runs/r/scan/x", b"1")
    assert (store.get("runs/r/scan/x"), [info.key for info in store.list("runs/")]) == (b"1", ["runs/r/scan/x"])
    store.delete("runs/r/scan/x")
    with open_history() as history:
        assert history.champion("films") is None


@pytest.mark.usefixtures("_settings")
def test_the_tasks_may_use_their_bucket_and_nothing_else(minio: str) -> None:
    """Neither other buckets, nor the making or removing of one."""
    assert main(["provision"]) == 0
    client(minio, ROOT).make_bucket(bucket_name="others")
    tasks = client(minio, TASKS)
    for forbidden in (
        lambda: list(tasks.list_objects(bucket_name="others")),
        lambda: tasks.make_bucket(bucket_name="more"),
        lambda: tasks.remove_bucket(bucket_name=BUCKET),
    ):
        with pytest.raises(S3Error) as caught:
            forbidden()
        assert caught.value.code == "AccessDenied"


@pytest.mark.usefixtures("_settings")
def test_the_reader_may_read_releases_and_nothing_else(minio: str) -> None:
    """A consumer of recommendations sees nothing that is in the making, and changes nothing."""
    assert main(["provision"]) == 0
    store = open_store()
    store.put("releases/films/1/manifest.json", b"{}")
    store.put("runs/r/manifest.json", b"{}")
    reader = S3Store(BUCKET, endpoint=minio, access_key=READER[0], secret_key=READER[1], secure=False)
    assert reader.get("releases/films/1/manifest.json") == b"{}"
    for forbidden in (lambda: reader.get("runs/r/manifest.json"), lambda: reader.put("releases/films/2/x", b"")):
        with pytest.raises(BadInput, match="AccessDenied"):
            forbidden()


@pytest.mark.usefixtures("_settings")
def test_a_new_secret_takes_the_place_of_the_old(minio: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing a line of .env and starting again is how secrets are rotated."""
    assert main(["provision"]) == 0
    monkeypatch.setenv("RECSYS_S3_SECRET_KEY", "tasks-secret-2")
    assert main(["provision"]) == 0
    open_store().put("x", b"")
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        list(client(minio, TASKS).list_objects(bucket_name=BUCKET))


@pytest.mark.usefixtures("_settings")
def test_a_server_without_users_is_an_error_that_says_what_to_do(
    s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With root's key for the tasks none are created; that of commands that decode media has to be known."""
    root = (s3_server["RECSYS_S3_ACCESS_KEY"], s3_server["RECSYS_S3_SECRET_KEY"])
    monkeypatch.setenv("RECSYS_STORE", "s3://recsys")
    monkeypatch.setenv("RECSYS_S3_ENDPOINT", s3_server["RECSYS_S3_ENDPOINT"])
    monkeypatch.setenv("RECSYS_S3_ROOT_USER", root[0])
    monkeypatch.setenv("RECSYS_S3_ROOT_PASSWORD", root[1])
    assert main(["provision"]) == 1
    assert "give the tasks the root user's key and no users are created" in capsys.readouterr().err
    monkeypatch.setenv("RECSYS_S3_ACCESS_KEY", root[0])
    monkeypatch.setenv("RECSYS_S3_SECRET_KEY", root[1])
    assert main(["provision"]) == 1
    assert "does not know user media-user (RECSYS_S3_MEDIA_ACCESS_KEY)" in capsys.readouterr().err
    made_by_hand = (s3_server["RECSYS_S3_MEDIA_ACCESS_KEY"], s3_server["RECSYS_S3_MEDIA_SECRET_KEY"])
    for user in (made_by_hand, root):
        monkeypatch.setenv("RECSYS_S3_MEDIA_ACCESS_KEY", user[0])
        monkeypatch.setenv("RECSYS_S3_MEDIA_SECRET_KEY", user[1])
        assert main(["provision"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["users"] == []


@pytest.mark.usefixtures("_settings")
def test_two_users_of_one_name_are_refused(
    minio: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One would get the rights of the other, and nobody would see it; what they may do stays."""
    assert main(["provision"]) == 0
    monkeypatch.setenv("RECSYS_S3_MEDIA_ACCESS_KEY", TASKS[0])
    assert main(["provision"]) == 2
    assert f"RECSYS_S3_ACCESS_KEY is {TASKS[0]}, as that of another user is" in capsys.readouterr().err
    open_store().put("releases/x", b"")


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize(
    "name",
    ["RECSYS_S3_ROOT_PASSWORD", "RECSYS_S3_MEDIA_SECRET_KEY", "RECSYS_S3_READER_SECRET_KEY", "RECSYS_STORE"],
)
def test_a_setting_that_is_missing_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input."""
    monkeypatch.delenv(name)
    assert main(["provision"]) == 2
    assert f"{name} is not set" in capsys.readouterr().err
