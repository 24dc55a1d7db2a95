"""Properties of an S3 store only: readable errors, no secrets in messages, and bounded waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks.errors import BadInput, NotFound, TaskError
from tasks.store import Store, open_store
from tasks.store.s3 import S3Store

SECRET = "very-secret-key"


def opened(endpoint: str, bucket: str = "recsys") -> S3Store:
    """Open a store at a given server."""
    return S3Store(bucket, endpoint=endpoint, access_key="me", secret_key=SECRET, secure=False)


class Answering(BaseHTTPRequestHandler):
    """Answers with `code` and no body."""

    code = 503
    asked = 0

    def do_HEAD(self) -> None:
        """Answer."""
        type(self).asked += 1
        self.send_response(self.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Answer likewise."""
        self.do_HEAD()

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture
def answering() -> type[Answering]:
    """Return a handler class with its own counter."""
    return type("Answering", (Answering,), {"asked": 0})


@pytest.fixture
def endpoint(answering: type[Answering]) -> Iterator[str]:
    """Return the address of that server, which listens until the test ends."""
    with HTTPServer(("127.0.0.1", 0), answering) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.fault("F11")
def test_a_server_that_is_not_there_is_named() -> None:
    """The error has the address and the bucket but not the key, after a bounded number of tries."""
    with pytest.raises(TaskError, match=r"127\.0\.0\.1:1 does not answer for s3://recsys") as caught:
        opened("127.0.0.1:1")
    assert SECRET not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.fault("F11")
@pytest.mark.slow  # it waits longer after each try
def test_a_server_that_goes_on_failing_is_given_up(answering: type[Answering], endpoint: str) -> None:
    """After five tries there is a fault, which the scheduler may retry."""
    with pytest.raises(TaskError, match=f"{endpoint} answered every try for s3://recsys with an error") as caught:
        opened(endpoint)
    assert answering.asked == 5
    assert SECRET not in str(caught.value)


def test_a_server_that_is_no_s3_is_named(answering: type[Answering], endpoint: str) -> None:
    """For example, a web server may listen at that port."""
    answering.code = 200
    store = opened(endpoint)
    with pytest.raises(TaskError, match=f"{endpoint} answered"):
        list(store.list("a/"))


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "host:port"])
def test_an_endpoint_that_is_none_says_what_is(endpoint: str) -> None:
    """An endpoint is host:port, without a scheme."""
    with pytest.raises(BadInput, match="expected host:port"):
        opened(endpoint)


@pytest.mark.parametrize("bucket", ["A_b", "a", "-ab", "a/b"])
def test_a_bucket_that_cannot_exist_is_named(bucket: str) -> None:
    """The name is checked before any request."""
    with pytest.raises(BadInput, match=f"bucket '{bucket}' found"):
        opened("127.0.0.1:1", bucket=bucket)


@pytest.mark.services
def test_a_wrong_key_is_bad_input_and_stays_secret(s3_server: dict[str, str]) -> None:
    """The error names the settings to check."""
    with pytest.raises(BadInput, match="RECSYS_S3_ACCESS_KEY and RECSYS_S3_SECRET_KEY") as caught:
        S3Store(
            "recsys",
            endpoint=s3_server["RECSYS_S3_ENDPOINT"],
            access_key=s3_server["RECSYS_S3_ACCESS_KEY"],
            secret_key=SECRET,
            secure=False,
        )
    assert SECRET not in str(caught.value)


@pytest.mark.services
@pytest.mark.parametrize("name", ["RECSYS_S3_ENDPOINT", "RECSYS_S3_ACCESS_KEY", "RECSYS_S3_SECRET_KEY"])
def test_a_setting_that_is_missing_is_named(s3_store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials have no default."""
    monkeypatch.delenv(name)
    with pytest.raises(BadInput, match=name):
        open_store(s3_store.url)


@pytest.mark.services
def test_secure_is_true_unless_told_and_nothing_else_than_a_flag(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typo does not turn encryption off."""
    monkeypatch.setenv("RECSYS_S3_SECURE", "no")
    with pytest.raises(BadInput, match="expected true or false"):
        open_store(s3_store.url)


@pytest.mark.services
def test_a_server_that_ignores_conditions_is_named(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """There two changes at once would pass, and one of them be lost; what was there stays."""

    def put(self: S3Store, key: str, data: bytes, etag: str) -> bool:
        self.put(key, data)
        return True

    s3_store.put("k", b"one")
    monkeypatch.setattr(S3Store, "_put_if", put)
    with pytest.raises(TaskError, match="ignores the condition of a write"):
        s3_store.replace("k", b"one", b"two")
    assert s3_store.get("k") == b"one"


@pytest.mark.services
def test_a_change_whose_answer_was_lost_is_a_success(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repeated request meets what the first one wrote."""
    put = S3Store._put_if

    def put_twice(self: S3Store, key: str, data: bytes, etag: str) -> bool:
        put(self, key, data, etag)
        return put(self, key, data, etag)

    s3_store.put("k", b"one")
    monkeypatch.setattr(S3Store, "_put_if", put_twice)
    assert s3_store.replace("k", b"one", b"two")
    assert s3_store.get("k") == b"two"


@pytest.mark.services
def test_a_bucket_is_made_once_by_many(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that start at the same time can all use it."""
    for key, value in s3_server.items():
        monkeypatch.setenv(key, value)
    stores: list[Store] = []
    threads = [threading.Thread(target=lambda: stores.append(open_store("s3://made-by-many"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 6
    with pytest.raises(NotFound):
        stores[0].get("absent")
