"""Mail speaks TLS, and verifies who answers, unless it is told not to."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from recsys.alerts import mail
from recsys.alerts.mail import Mailer, NoTls, send

from local.certificate import write_certificate

LOGIN = base64.b64encode(b"\0ada\0very-secret").decode()


class Server:
    """A mail server that takes one mail; `lines` are what it was told, each with whether that was in private."""

    def __init__(self, folder: Path, *, offers: bool, from_start: bool = False) -> None:
        write_certificate(folder / "server.crt", folder / "server.key", "mail")
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self.offers, self.from_start, self.lines = offers, from_start, list[tuple[bool, str]]()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        """Accept one client and talk to it until it goes."""
        try:
            client, _ = self.socket.accept()
            with closing(client):
                if self.from_start:
                    self.talk_in_private(client)
                else:
                    self.talk(client)
        except OSError:  # it has gone, or did not like the certificate
            return

    def talk_in_private(self, client: socket.socket) -> None:
        """After a handshake."""
        with self.context.wrap_socket(client, server_side=True) as private:
            self.talk(private)

    def talk(self, client: socket.socket) -> None:
        """Say yes to everything."""
        private = isinstance(client, ssl.SSLSocket)
        lines = client.makefile("rb", buffering=0)
        if not private or self.from_start:
            client.sendall(b"220 here\r\n")
        while line := lines.readline():
            words = line.decode().strip()
            self.lines.append((private, words))
            if words.upper().startswith("EHLO"):
                offered = b"250-STARTTLS\r\n" if self.offers and not private else b""
                client.sendall(b"250-here\r\n" + offered + b"250 AUTH PLAIN\r\n")
            elif words == "STARTTLS":
                client.sendall(b"220 go on\r\n")
                self.talk_in_private(client)
                return
            elif words.upper() == "DATA":
                client.sendall(b"354 go on\r\n")
                while lines.readline().strip() != b".":
                    pass
                client.sendall(b"250 kept\r\n")
            else:
                client.sendall(b"235 yes\r\n" if words.startswith("AUTH") else b"250 yes\r\n")


def make_connection(monkeypatch: pytest.MonkeyPatch, host: str, port: int, extra: dict[str, Any]) -> None:
    """Tell Airflow of a mail server, with a login."""
    login = {"login": "ada", "password": "very-secret"}
    connection = {"conn_type": "smtp", "host": host, "port": port, "extra": {"retry_limit": 0} | extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection | login))


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a server and make it Airflow's mail server; its certificate is trusted unless said otherwise."""
    started: list[Server] = []

    def call(extra: dict[str, Any], *, offers: bool = True, from_start: bool = False, trusted: bool = True) -> Server:
        server = Server(tmp_path, offers=offers, from_start=from_start)
        started.append(server)
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.port,
            "login": "ada",
            "password": "very-secret",
        }
        connection["extra"] = {"from_email": "airflow@example.org", "retry_limit": 0} | extra
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.crt"))
        return server

    yield call
    for server in started:
        server.socket.close()
        server.thread.join(10)


def write() -> None:
    """Send one mail."""
    send(["operator@example.org"], "a subject", "text", "<p>text</p>", identity="0")


def test_the_login_is_said_in_private(connect: Any) -> None:
    """By STARTTLS, with what docker-compose.yaml says of a server that SMTP_HOST names."""
    server = connect({"disable_ssl": True, "disable_tls": 0.0})
    write()
    server.thread.join(10)
    assert (True, f"AUTH PLAIN {LOGIN}") in server.lines
    assert {words.split()[0].upper() for private, words in server.lines if not private} == {"EHLO", "STARTTLS"}


def test_a_server_without_tls_is_told_nothing(connect: Any) -> None:
    """One sentence names the setting; neither login nor mail was sent."""
    server = connect({"disable_ssl": True}, offers=False)
    with pytest.raises(NoTls, match=r"offers no STARTTLS, expected a server with TLS: .* set SMTP_DISABLE_TLS=true"):
        write()
    server.thread.join(10)
    assert {words.split()[0].upper() for _, words in server.lines} <= {"EHLO"}


@pytest.mark.parametrize("from_start", [True, False])
def test_a_certificate_that_is_not_trusted_is_refused(connect: Any, *, from_start: bool) -> None:
    """Who stands between could show any."""
    server = connect({"disable_ssl": not from_start}, from_start=from_start, trusted=False)
    with pytest.raises(NoTls, match=r"failed \(.*self.signed certificate.*\), expected a valid certificate"):
        write()
    server.thread.join(10)
    assert not [words for _, words in server.lines if "AUTH" in words]


def test_a_server_may_speak_tls_from_the_start(connect: Any) -> None:
    """With `disable_ssl` false, as before; no STARTTLS within TLS."""
    server = connect({"disable_ssl": False}, from_start=True)
    write()
    server.thread.join(10)
    assert (True, f"AUTH PLAIN {LOGIN}") in server.lines
    assert all(private for private, _ in server.lines)


def test_port_465_speaks_tls_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another setting."""
    for port, disabled, expected in ((465, 0, (True, False)), (587, 0, (False, True)), (465, 1, (False, False))):
        make_connection(monkeypatch, "h", port, {"disable_ssl": True, "disable_tls": disabled})
        mailer = Mailer(mail.CONNECTION)
        mailer.smtp_connection = mailer.get_connection(mail.CONNECTION)
        assert (mailer.use_ssl, mailer.smtp_starttls) == expected


def test_tls_can_be_switched_off(connect: Any) -> None:
    """As for a catcher on the same machine."""
    server = connect({"disable_ssl": True, "disable_tls": True}, offers=False)
    write()
    server.thread.join(10)
    assert (False, f"AUTH PLAIN {LOGIN}") in server.lines
