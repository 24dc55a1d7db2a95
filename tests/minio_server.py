"""A server with MinIO's own users and policies: JuiceFS's gateway, which is MinIO's server before a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.ports import HOST, free_port

ROOT = ("root-user", "root-password-1")
SECONDS = 60.0


@contextmanager
def start_minio(folder: Path) -> Iterator[str]:
    """Run a server in `folder` for the length of the block; yields its endpoint."""
    program = str(Path(sys.executable).parent / "juicefs")
    meta, port = f"sqlite3://{folder / 'meta.db'}", free_port()
    format_words = ["format", "--no-update", "--storage", "file", "--bucket", f"{folder / 'objects'}/", meta, "test"]
    subprocess.run([program, *format_words], check=True, capture_output=True)
    metrics = f"{HOST}:{free_port({port})}"
    words = ["gateway", "--multi-buckets", "--no-banner", "--no-usage-report", "--metrics", metrics]
    words += ["--cache-dir", str(folder / "cache"), meta, f"{HOST}:{port}"]
    settings = {
        "MINIO_ROOT_USER": ROOT[0],
        "MINIO_ROOT_PASSWORD": ROOT[1],
        "HOME": str(folder),
        "PATH": os.defpath,
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", program, *words], env=settings, stdout=log, stderr=log
        )
        deadline = time.monotonic() + SECONDS
        while not healthy(f"http://{HOST}:{port}/minio/health/live"):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"{HOST}:{port}"
        server.terminate()
        server.wait(SECONDS)


def healthy(url: str) -> bool:
    """Whether something answers there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False
