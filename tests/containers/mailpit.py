#!/opt/venv/bin/python
"""A mail catcher: SMTP on 1025, and on 8025 the two addresses of mailpit's interface that the tests read."""

import asyncio
import json
import sys
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import urlopen

from aiosmtpd.controller import UnthreadedController

MAILS: list[bytes] = []


class Keep:
    """Keeps every mail."""

    async def handle_DATA(self, server, session, envelope):  # noqa: ANN001, ANN201, N802
        """Keep one."""
        MAILS.append(envelope.original_content)
        return "250 kept"


class Show(BaseHTTPRequestHandler):
    """Lists the mails, the newest first, and gives one as it came."""

    def do_GET(self) -> None:
        """Answer."""
        words = self.path.strip("/").split("/")
        if words == ["api", "v1", "messages"]:
            subjects = [message_from_bytes(mail, policy=default)["Subject"] for mail in MAILS]
            found = [{"ID": str(number), "Subject": subject} for number, subject in enumerate(subjects)]
            body = json.dumps({"messages": found[::-1]}).encode()
        elif words[:3] == ["api", "v1", "message"] and words[4:] == ["raw"]:
            body = MAILS[int(words[3])]
        else:
            body = b"ok"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quietly."""


if sys.argv[1:] == ["readyz"]:
    urlopen("http://127.0.0.1:8025/readyz", timeout=5).read()
    sys.exit(0)
Thread(target=ThreadingHTTPServer(("0.0.0.0", 8025), Show).serve_forever, daemon=True).start()  # noqa: S104
loop = asyncio.new_event_loop()
UnthreadedController(Keep(), hostname="0.0.0.0", port=1025, loop=loop).begin()  # noqa: S104
loop.run_forever()
