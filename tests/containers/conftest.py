"""One installation for all tests of this folder, which ends with nothing left of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.site import Night, Site, copied, docker, installation, remove_left_overs

MAIL_IMAGE = "recsys-test-mail:latest"


@pytest.fixture(scope="session")
def mail_image() -> str | None:
    """Where images cannot be pulled, a stand-in for the mail catcher; None: the real one."""
    if "PYTHON_IMAGE" not in os.environ:
        return None
    here = Path(__file__).parent
    argument = f"PYTHON_IMAGE={os.environ['PYTHON_IMAGE']}"
    docker("build", "-q", "--build-arg", argument, "-t", MAIL_IMAGE, "-f", str(here / "mail.Dockerfile"), str(here))
    return MAIL_IMAGE


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, mail_image: str | None) -> Iterator[Site]:
    """After `make up` in a fresh copy of the project."""
    remove_left_overs()
    site = installation(copied(tmp_path_factory.mktemp("site")), mail_image)
    try:
        done = site.make("up")
        (site.folder / "up.log").write_text(done.stdout, encoding="utf-8")
        yield site
    finally:
        site.make("down", "ARGS=--volumes", check=False)


@pytest.fixture(scope="session")
def first(site: Site) -> Night:
    """The first night, on the demo catalogue, as the button starts it: with what the form has by default."""
    return site.night()
