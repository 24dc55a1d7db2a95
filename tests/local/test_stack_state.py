"""The state file of the stack."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from local.errors import StackError
from local.ports import HOST
from local.state import State


def test_secrets_and_ports_are_the_same_for_the_next_command(tmp_path: Path) -> None:
    """Another process reads the same values."""
    first = State(tmp_path)
    chosen = first.secret("a"), first.port("b"), first.mark
    second = State(tmp_path)
    assert (second.secret("a"), second.port("b"), second.mark) == chosen


def test_two_stacks_share_no_secret(tmp_path: Path) -> None:
    """Secrets are random."""
    assert State(tmp_path / "a").secret("x") != State(tmp_path / "b").secret("x")


def test_the_file_is_closed_to_other_users(tmp_path: Path) -> None:
    """It contains passwords."""
    state = State(tmp_path)
    state.secret("a")
    assert state.path.stat().st_mode & 0o777 == 0o600


def test_a_remembered_port_that_a_stranger_took_is_replaced(tmp_path: Path) -> None:
    """A start does not fail if another process now uses the port."""
    state = State(tmp_path)
    port = state.port("web")
    with socket.create_server((HOST, port)):
        assert state.port("web") == port
        assert state.claim_port("web") != port
    assert State(tmp_path).port("web") == state.port("web")


def test_a_remembered_port_that_is_free_is_kept(tmp_path: Path) -> None:
    """The UI keeps its address."""
    state = State(tmp_path)
    assert state.port("web") == state.claim_port("web")


def test_a_spoilt_file_is_refused_with_its_name(tmp_path: Path) -> None:
    """Silently ignoring the file would leave its servers running."""
    (tmp_path / "state.json").write_text('{"ports": 3}', encoding="utf-8")
    with pytest.raises(StackError, match=r"state\.json is not a state file"):
        State(tmp_path)


def test_only_one_command_works_on_a_stack_at_a_time(tmp_path: Path) -> None:
    """A second command is refused at once, and works after the first has ended."""
    state = State(tmp_path)
    with state.lock(), pytest.raises(StackError, match="another command"), State(tmp_path).lock():
        pass
    with State(tmp_path).lock():
        pass


def test_the_lock_shows_what_the_command_before_wrote(tmp_path: Path) -> None:
    """A process that gets the lock reads the current state."""
    early, late = State(tmp_path), State(tmp_path)
    late.remember_fact("schema", "3")
    with early.lock():
        assert early.fact("schema") == "3"
