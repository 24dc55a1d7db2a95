"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Container

from local.errors import StackError

HOST = "127.0.0.1"
# Linux gives ports from 32768 to outgoing connections; lower ports are still free at the next start. SeaweedFS uses
# port + 10000 for gRPC, which is below that limit too.
LOWEST, HIGHEST = 15_000, 22_000
GRPC_OFFSET = 10_000
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server can listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Like servers do: a port whose last connections are in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_usable(port: int, reserved: Container[int] = ()) -> bool:
    """Whether `port` and its gRPC companion are free and not `reserved`."""
    return port not in reserved and is_free(port) and is_free(port + GRPC_OFFSET)


def free_port(reserved: Container[int] = ()) -> int:
    """Return a free port outside `reserved`, at random, so that stacks that start together seldom choose the same."""
    for _ in range(ATTEMPTS):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311  not a secret
        if is_usable(port, reserved):
            return port
    raise StackError(f"no free port found in {ATTEMPTS} tries between {LOWEST} and {HIGHEST} of {HOST}, expected one")
