"""State of a stack between commands: ports, passwords, process ids, in one JSON file that only its owner can read."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.errors import StackError
from local.ports import free_port, is_usable
from local.processes import Identity


class Daemon(BaseModel):
    """A server process that was started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identity: Identity
    settings: str = Field(description="hash of its command and environment; if it changes, the server is restarted")


class Contents(BaseModel):
    """The file `state.json`."""

    model_config = ConfigDict(extra="forbid")

    mark: str = Field(default_factory=lambda: secrets.token_hex(8), description="in the environment of its processes")
    ports: dict[str, int] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    daemons: dict[str, Daemon] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict, description="one-time work that is done, and its version")


class State:
    """The state of the stack in `folder`; every change is on disk when the call returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.path = self.folder / "state.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._contents = self._read()
        if not self.path.exists():
            self._write()

    @property
    def mark(self) -> str:
        """Mark that distinguishes this stack's processes from all others."""
        return self._contents.mark

    @property
    def logs(self) -> Path:
        """Folder of the servers' logs."""
        folder = self.folder / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def reload(self) -> None:
        """Read again what another process has written."""
        self._contents = self._read()

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_hex(12)) -> str:
        """Return the secret `name`; generated at the first call and the same afterwards."""
        if name not in self._contents.secrets:
            self._contents.secrets[name] = make()
            self._write()
        return self._contents.secrets[name]

    def port(self, name: str) -> int:
        """Return the port of `name`; chosen at the first call."""
        if name not in self._contents.ports:
            self._contents.ports[name] = free_port(set(self._contents.ports.values()))
            self._write()
        return self._contents.ports[name]

    def claim_port(self, name: str) -> int:
        """Return a port for `name` before its server starts: the remembered one, or another if that is in use."""
        remembered = self._contents.ports.get(name)
        if remembered is not None and not is_usable(remembered):
            del self._contents.ports[name]
        return self.port(name)

    def daemon(self, name: str) -> Daemon | None:
        """Return the process last started as `name`, running or not."""
        return self._contents.daemons.get(name)

    def remember_daemon(self, name: str, daemon: Daemon | None) -> None:
        """Record the process of `name`; None removes the record."""
        if daemon is None:
            self._contents.daemons.pop(name, None)
        else:
            self._contents.daemons[name] = daemon
        self._write()

    def fact(self, name: str) -> str | None:
        """Return the version for which the one-time work `name` was done, or None."""
        return self._contents.facts.get(name)

    def remember_fact(self, name: str, value: str) -> None:
        """Record that the one-time work `name` is done."""
        self._contents.facts[name] = value
        self._write()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the stack against other commands; raises StackError if another command holds the lock."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackError(
                    f"another command is starting or stopping the stack in {self.folder}: wait for it to end"
                ) from error
            self.reload()
            yield

    def _read(self) -> Contents:
        if not self.path.exists():
            return Contents()
        try:
            return Contents.model_validate_json(self.path.read_bytes())
        except PermissionError as error:
            raise StackError(
                f"{self.path} cannot be read, expected your own file: continue as the user who made it"
            ) from error
        except ValidationError as error:
            message = f"{self.path} is not a state file of this version ({error.error_count()} errors)"
            raise StackError(f"{message}: end the servers that it names, then remove it") from error

    def _write(self) -> None:
        temporary = self.path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self._contents.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
