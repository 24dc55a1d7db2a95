"""The engine's proxy, really running, before a stand-in for the engine; uses nothing but Python's own library."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import quote, urlsplit

PROXY = Path(__file__).resolve().parents[1] / "docker/engine-proxy/proxy.py"
IMAGE, NETWORK = "audioclip4rec-tasks:latest", "audioclip4rec_tasks"
MEMORY, CPUS = 2 << 30, 1.5  # the limits of this installation, bytes and number
LINES = {1: b'{"done": 1}\n', 2: b"a sentence\n"}  # what a task of the stand-in prints, by stream


class Handler(BaseHTTPRequestHandler):
    """Answers 200 and records what it was asked."""

    protocol_version = "HTTP/1.1"
    server: Engine

    def answer(self) -> None:
        """Any request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, body))
        path = urlsplit(self.path).path
        if path.endswith("/start"):
            self.server.started.set()
        if path.endswith("/attach"):
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            self.server.started.wait(20)  # a task says nothing before it runs
            for stream, line in LINES.items():
                self.wfile.write(bytes([stream, 0, 0, 0]) + len(line).to_bytes(4, "big") + line)
            self.close_connection = True
            return
        known = self.server.answers.get(path.removeprefix("/v1.41"), self.server.default)
        said = (known if isinstance(known, str) else json.dumps(known)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        if self.headers.get("Connection") == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = answer  # noqa: N815  names of http.server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        """A socket has no address."""
        return ""


class Engine(ThreadingMixIn, UnixStreamServer):
    """A stand-in for the engine: `asked` is what reached it."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.asked: list[tuple[str, str, bytes]] = []
        self.started = threading.Event()
        self.port = 0
        self.default: dict[str, Any] = {}  # the answer where no other is known
        self.answers: dict[str, Any] = {
            "/_ping": "OK",
            "/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.24"},
            "/containers/json": [],
            "/containers/create": {"Id": "0" * 64, "Warnings": []},
            f"/images/{IMAGE}/json": {"Id": "sha256:0", "Config": {"Labels": {"recsys.accelerator": "cpu"}}},
        }

    def send(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> int:
        """Ask the proxy; the status."""
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, data, {"Content-Type": "application/json"} | (headers or {}))
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def send_raw(self, data: bytes) -> bytes:
        """Write bytes to the proxy; all that it answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer


@contextmanager
def engine_behind_proxy(folder: Path) -> Iterator[Engine]:
    """Run both for the length of the block."""
    with Engine(folder / "engine.sock") as engine:
        thread = threading.Thread(target=engine.serve_forever, daemon=True)
        thread.start()
        settings = {
            "TASK_IMAGE": IMAGE,
            "TASK_NETWORK": NETWORK,
            "TASK_MEMORY": f"{MEMORY >> 20}m",
            "TASK_CPUS": str(CPUS),
            "ENGINE_SOCKET": str(folder / "engine.sock"),
            "LISTEN_HOST": "127.0.0.1",
            "LISTEN_PORT": "0",
        }
        command = [sys.executable, "-B", "-u", str(PROXY)]
        with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True) as proxy:
            assert proxy.stdout is not None
            engine.port = int(proxy.stdout.readline().split()[3])
            drain = threading.Thread(target=proxy.stdout.read, daemon=True)
            drain.start()
            try:
                yield engine
            finally:
                proxy.terminate()
                proxy.wait()
                drain.join()
                engine.shutdown()
                thread.join()


def listing(network: str = NETWORK) -> str:
    """Where an installation's containers are listed, as docker-py asks."""
    filters = quote(json.dumps({"label": [f"recsys.site={network}"]}))
    return f"/v1.41/containers/json?limit=-1&all=1&size=0&trunc_cmd=0&filters={filters}"
