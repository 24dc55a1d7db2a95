"""Ports of the stack without Docker."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from local.ports import GRPC_OFFSET, HOST, free_port, is_free, is_usable


@pytest.fixture
def listening() -> Iterator[int]:
    """Return a port on which a server listens during the test."""
    with socket.create_server((HOST, free_port())) as server:
        yield server.getsockname()[1]


def test_a_chosen_port_can_be_listened_on() -> None:
    """A server can use a port that is reported free."""
    with socket.create_server((HOST, free_port())):
        pass


def test_a_port_with_a_server_is_not_free(listening: int) -> None:
    """A port is not free while a server listens on it."""
    assert not is_free(listening)


def test_taken_ports_are_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that the caller has already assigned are not chosen."""
    monkeypatch.setattr("local.ports.LOWEST", 15_000)
    monkeypatch.setattr("local.ports.HIGHEST", 15_009)
    reserved = set(range(15_000, 15_009))
    assert free_port(reserved) == 15_009


def test_a_port_whose_grpc_companion_is_taken_is_of_no_use(listening: int) -> None:
    """SeaweedFS needs both ports."""
    assert not is_usable(listening - GRPC_OFFSET)
