"""Real servers for tests in Airflow's environment, which has none: `python -m tests.servers FOLDER`.

Runs in the task environment. Prints one line of JSON when all servers are ready, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from local.mail import Mail
from local.postgres import start_postgres
from local.service import running
from local.state import State
from tasks.store import History


def serve(folder: Path) -> None:
    """Run PostgreSQL with the metrics schema and a mail server until standard input ends."""
    with ExitStack() as stack:
        dsn = stack.enter_context(start_postgres(folder / "postgres"))
        mail = Mail(State(folder / "mail"), bound=True)
        stack.enter_context(running(mail))
        with History(dsn) as history:
            history.migrate()
        settings = {"dsn": dsn, "smtp_port": mail.state.port(mail.name), "mails": str(mail.folder())}
        sys.stdout.write(json.dumps(settings) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
