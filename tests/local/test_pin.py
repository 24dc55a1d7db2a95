"""`make pin`: images that others made, by digest, in .env; with a stand-in for Docker and its registry."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# Its registry: one file per image with its digest. BUILDX: whether that plugin is there.
DOCKER = """#!/bin/sh
known() { cat "$REGISTRY/$(echo "$1" | tr / _)" 2>/dev/null || { echo "no such host" >&2; exit 1; }; }
case "$*" in
    info) ;;
    "compose version --short") echo 2.40.0 ;;
    "volume inspect"*) exit 1 ;;
    "buildx imagetools inspect "*) [ -n "$BUILDX" ] || { echo "unknown command" >&2; exit 1; }; known "$4" ;;
    "pull "*) digest=$(known "$2") || exit 1; echo "18: Pulling from x"; echo "Digest: $digest"; echo "Status: done" ;;
    *) exit 9 ;;
esac
"""


class Checkout:
    """A project with its .env, and a registry."""

    def __init__(self, folder: Path, buildx: str) -> None:
        self.folder, self.registry = folder / "project", folder / "registry"
        (self.folder / "docker").mkdir(parents=True)
        (folder / "bin").mkdir()
        self.registry.mkdir()
        for name in ("docker/stack.sh", "docker/gpu.sh", "docker-compose.yaml"):
            shutil.copy(ROOT / name, self.folder / name)
        (folder / "bin/docker").write_text(DOCKER, encoding="utf-8")
        (folder / "bin/docker").chmod(0o755)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "REGISTRY": str(self.registry),
            "BUILDX": buildx,
        }
        text = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
        found = dict(re.findall(r"\$\{([A-Z_]+_IMAGE):-([^}]+)\}", text))
        self.images = {name: image for name, image in found.items() if not image.startswith("audioclip4rec-")}
        assert self.stack("env").returncode == 0
        for image in self.images.values():
            self.push(image, "first")

    def push(self, image: str, content: str) -> str:
        """Put an image under a tag; its digest."""
        digest = "sha256:" + hashlib.sha256(f"{image} {content}".encode()).hexdigest()
        (self.registry / image.replace("/", "_")).write_text(digest + "\n", encoding="ascii")
        return digest

    def stack(self, command: str) -> subprocess.CompletedProcess[str]:
        """Type `docker/stack.sh ...`."""
        words = ["sh", self.folder / "docker/stack.sh", command]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)

    def env(self) -> str:
        """The file's text."""
        return (self.folder / ".env").read_text(encoding="utf-8")


@pytest.fixture(params=["1", ""], ids=["buildx", "pull"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    """With Docker's plugin, or without."""
    return Checkout(tmp_path, request.param)


def test_every_image_of_others_is_pinned(checkout: Checkout) -> None:
    """With its tag, which says what it is; the rest of .env stays, and its mode."""
    before = checkout.env()
    done = checkout.stack("pin")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(checkout.images) == {
        "POSTGRES_IMAGE",
        "OBJECT_STORE_IMAGE",
        "MAIL_IMAGE",
        "PYTHON_IMAGE",
        "NODE_IMAGE",
    } | {"GRAFANA_IMAGE"}
    lines = [f"{name}={image}@{checkout.push(image, 'first')}" for name, image in checkout.images.items()]
    assert checkout.env().startswith(before)
    assert sorted(checkout.env().removeprefix(before).splitlines()) == sorted(lines)
    assert stat.S_IMODE((checkout.folder / ".env").stat().st_mode) == 0o600


def test_pinning_again_takes_what_a_tag_means_by_then(checkout: Checkout) -> None:
    """Also of an image that the user has chosen, from another registry; each setting stands there once."""
    own = "127.0.0.1:5000/mirror/postgres:18"
    first = checkout.push(own, "first")
    with (checkout.folder / ".env").open("a", encoding="utf-8") as file:
        file.write(f"POSTGRES_IMAGE={own}\n")
    assert checkout.stack("pin").returncode == 0
    assert f"POSTGRES_IMAGE={own}@{first}\n" in checkout.env()
    second = checkout.push(own, "second")
    said = checkout.stack("pin").stdout
    assert f"POSTGRES_IMAGE={own}@{second}\n" in checkout.env()
    assert checkout.env().count("POSTGRES_IMAGE=") == 1
    assert said.count("is the same") == len(checkout.images) - 1


@pytest.mark.parametrize("answer", [None, "sha256:short\n", "\n", "<html>sha256:" + "0" * 64])
def test_without_a_registry_nothing_changes(checkout: Checkout, answer: str | None) -> None:
    """One sentence names the image; the images before it are not written either."""
    path = checkout.registry / checkout.images["PYTHON_IMAGE"].replace("/", "_")
    if answer is None:
        path.unlink()
    else:
        path.write_text(answer, encoding="ascii")
    before = checkout.env()
    done = checkout.stack("pin")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"{checkout.images['PYTHON_IMAGE']} (PYTHON_IMAGE) cannot be resolved, expected a registry"
    )
    assert done.stderr.count("\n") == 1
    assert checkout.env() == before
    assert not (checkout.folder / ".env.part").exists()
