"""The images as they were built."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.containers.site import IMAGES, Site, docker

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.containers
LARGEST = {"TASK_IMAGE": 2.2e9, "AIRFLOW_IMAGE": 1.0e9, "ENGINE_PROXY_IMAGE": 0.4e9}  # bytes, unpacked, CPU build
KNOWN = {"TASK_IMAGE": "torch", "AIRFLOW_IMAGE": "apache-airflow"}  # in their lists of packages


def facts(site: Site, name: str) -> dict[str, Any]:
    """What the engine knows of an image."""
    (found,) = json.loads(docker("image", "inspect", site.settings[name]))
    return dict(found)


@pytest.mark.parametrize("name", IMAGES)
def test_it_says_what_it_is_and_runs_as_nobody_special(site: Site, name: str) -> None:
    """OCI labels, a numeric user that is not root, a size within bounds."""
    image = facts(site, name)
    labels = image["Config"]["Labels"]
    for key in ("title", "description", "licenses", "version", "revision"):
        assert labels[f"org.opencontainers.image.{key}"], key
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert int(image["Config"]["User"].split(":")[0]) >= 1000
    if site.settings.get("ACCELERATOR") == "cpu":
        assert image["Size"] < LARGEST[name]


@pytest.mark.parametrize("name", IMAGES)
def test_no_secret_is_in_it(site: Site, name: str) -> None:
    """Neither in its environment nor in the steps it was made by."""
    said = json.dumps(facts(site, name)) + docker("history", "--no-trunc", site.settings[name])
    lines = (site.folder / ".env").read_text().splitlines()
    secrets = [line.partition("=")[2] for line in lines if "PASSWORD=" in line or "SECRET" in line or "FERNET" in line]
    assert len(secrets) >= 10
    assert not any(secret in said for secret in secrets)


@pytest.mark.parametrize("name", KNOWN)
def test_it_lists_its_packages_and_cannot_install_more(site: Site, name: str) -> None:
    """The list was made in the build, from what is installed."""
    words = ["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--entrypoint"]
    listed = json.loads(docker(*words, "cat", site.settings[name], "/usr/share/sbom/python.cdx.json"))
    packages = {component["name"]: component["version"] for component in listed["components"]}
    assert listed["bomFormat"] == "CycloneDX"
    code = "import importlib.metadata as m; print(m.version('{0}')); import pip"
    done = docker(*words, "python", site.settings[name], "-c", code.format(KNOWN[name]), check=False)
    assert done.startswith(packages[KNOWN[name]])
    assert len(packages) > 50


@pytest.mark.parametrize("name", IMAGES)
def test_it_lists_what_is_of_debian(site: Site, name: str) -> None:
    """And the version of Python."""
    words = ["run", "--rm", "--network", "none", "--entrypoint", "cat", site.settings[name]]
    listed = json.loads(docker(*words, "/usr/share/sbom/debian.cdx.json"))
    names = {component["name"] for component in listed["components"]}
    assert {"libc6", "openssl", "python"} & names >= {"libc6", "python"}


@pytest.mark.parametrize("name", IMAGES)
def test_its_licence_is_in_it(site: Site, name: str) -> None:
    """With the notice of what it ships."""
    words = ["run", "--rm", "--network", "none", "--entrypoint", "cat", site.settings[name]]
    for file in ("LICENSE", "NOTICE"):
        said = docker(*words, f"/usr/share/doc/audioclip4rec/{file}")
        assert said.strip() == (ROOT / file).read_text(encoding="utf-8").strip()


def test_health_is_watched_where_there_is_something_to_watch(site: Site) -> None:
    """A command runs to its end; the others are servers."""
    checks = {name: facts(site, name)["Config"]["Healthcheck"]["Test"][0] for name in IMAGES}
    assert checks == {"TASK_IMAGE": "NONE", "AIRFLOW_IMAGE": "CMD", "ENGINE_PROXY_IMAGE": "CMD"}


def test_the_task_image_works_without_network_or_rights(site: Site) -> None:
    """Nothing is downloaded, nothing is written outside of scratch; the encoder of the demo is in it."""
    words = ["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "-v", "/scratch"]
    environment = ["-e", "RECSYS_STORE=file:///scratch/store"]
    said = docker(
        *words, *environment, site.settings["TASK_IMAGE"], "demo-catalogue", "--load", "films", "--items", "3"
    )
    assert json.loads(said.splitlines()[-1])["dataset"] == "films"
