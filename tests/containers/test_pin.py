"""`make pin` with a real engine and a registry of one image on loopback."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers
ROOT = Path(__file__).resolve().parents[2]
MANIFEST, CONFIG, LAYER = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)


def digest(data: bytes) -> str:
    """As registries write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry(ThreadingHTTPServer):
    """Gives one image under every name and tag, by the registry's interface version 2."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("file"))
        layer = gzip.compress(plain.getvalue(), mtime=0)
        rootfs = {"type": "layers", "diff_ids": [digest(plain.getvalue())]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
        parts = {CONFIG: config, LAYER: layer}
        described = {
            kind: {"mediaType": kind, "size": len(data), "digest": digest(data)} for kind, data in parts.items()
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described[CONFIG],
            "layers": [described[LAYER]],
        }
        self.manifest = json.dumps(manifest).encode()
        self.blobs = {digest(data): data for data in (config, layer)}


class Handler(BaseHTTPRequestHandler):
    """Manifests and blobs."""

    server: Registry

    def do_GET(self) -> None:
        """Answer; HEAD without the body."""
        kind, data = "application/json", b"{}"
        if "/manifests/" in self.path:
            kind, data = MANIFEST, self.server.manifest
        elif "/blobs/" in self.path:
            kind, data = "application/octet-stream", self.server.blobs[self.path.rpartition("/")[2]]
        self.send_response(200)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", digest(data))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815  a name of http.server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Running."""
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_tags_become_digests_that_the_engine_takes(registry: Registry, tmp_path: Path) -> None:
    """What is written can be pulled."""
    for name in ("docker/stack.sh", "docker/gpu.sh", "docker-compose.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    text = (tmp_path / "docker-compose.yaml").read_text(encoding="utf-8")
    names = sorted(set(re.findall(r"\$\{([A-Z_]+_IMAGE):-(?!audioclip4rec-)", text)))
    place = f"127.0.0.1:{registry.server_address[1]}"
    settings = {name: f"{place}/recsys-test-pin/{name.lower()}:1" for name in names}
    (tmp_path / ".env").touch(mode=0o600)
    added = ("S3_MEDIA_ACCESS_KEY", "S3_MEDIA_SECRET_KEY", "METRICS_ALERTS_PASSWORD", "GRAFANA_PASSWORD")
    keys = [f"{name}=a" for name in added]  # without these it is of an earlier version, and gets them
    lines = [*keys, *(f"{name}={image}" for name, image in settings.items())]
    (tmp_path / ".env").write_text("\n".join(lines) + "\n", encoding="ascii")
    try:
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_IMAGE")}
        words = ["sh", tmp_path / "docker/stack.sh", "pin"]
        done = subprocess.run(words, env=clean, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        pinned = (tmp_path / ".env").read_text(encoding="ascii").splitlines()
        assert pinned == keys + [f"{name}={image}@{digest(registry.manifest)}" for name, image in settings.items()]
        subprocess.run(["docker", "pull", "-q", pinned[-1].partition("=")[2]], check=True, capture_output=True)
    finally:
        for image in settings.values():
            subprocess.run(["docker", "rmi", "-f", image], check=False, capture_output=True)
