"""`migrate`: the metrics database gets its tables, or the sentence why not."""

from __future__ import annotations

import json

import pytest

from tasks.__main__ import main
from tasks.store import open_history
from tasks.store.schema import names

pytestmark = pytest.mark.services


def test_a_fresh_database_is_ready_after_one_command(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the second time there is nothing to do, which is no error."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", empty_dsn)
    for applied in (names(), []):
        assert main(["migrate"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"applied": applied}
    with open_history() as history:
        assert history.champion("films") is None


def test_a_database_that_does_not_exist_is_named(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not made: who names a wrong one should hear of it."""
    server, _, name = empty_dsn.rpartition("/")
    monkeypatch.setenv("RECSYS_METRICS_DSN", f"{server}/absent")
    assert main(["migrate"]) == 1
    said = capsys.readouterr().err
    assert 'database "absent" does not exist' in said
    assert said.count("\n") == 1
    assert name not in said


@pytest.mark.parametrize("dsn", ["", "me:secret@host/metrics", "host=127.0.0.1 dbname=metrics password=secret"])
def test_an_address_that_is_none_says_what_is(
    dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input, without the password."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", dsn)
    assert main(["migrate"]) == 2
    said = capsys.readouterr().err
    assert "expected postgresql://" in said
    assert "secret" not in said
