"""A mail server for the demo: every email becomes a file, so that alerts can be read without an account."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

from local.ports import HOST
from local.service import Service


class Mail(Service):
    """The server as a process of the stack; emails are `<state>/mail/*.eml`."""

    name = "mail"
    title = "the mail server"

    def command(self) -> list[str]:
        """Return the command that runs this file as a program."""
        return [sys.executable, "-m", "local.mail", str(self.state.port(self.name)), str(self.folder())]

    def settings(self) -> Mapping[str, str]:
        """Return PYTHONPATH, so that the process finds this package."""
        return {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}

    def ready(self) -> bool:
        """Whether it answers NOOP."""
        try:
            with smtplib.SMTP(HOST, self.state.port(self.name), timeout=5) as client:
                return client.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False


class Folder:
    """Writes each email to its own file, completely or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Write one email."""
        del server, session
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        temporary = self.folder / f"{name}.part"
        temporary.write_bytes(envelope.original_content or b"")
        temporary.rename(self.folder / f"{name}.eml")
        return "250 kept"


def serve(port: int, folder: Path) -> None:
    """Accept emails until SIGTERM or SIGINT."""
    loop = asyncio.new_event_loop()
    controller = UnthreadedController(Folder(folder), hostname=HOST, port=port, loop=loop)
    controller.begin()  # type: ignore[no-untyped-call]  # aiosmtpd annotates only some functions
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    loop.add_signal_handler(signal.SIGINT, loop.stop)
    loop.run_forever()
    controller.end()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
