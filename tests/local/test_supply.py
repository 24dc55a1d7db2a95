"""What is known of the packages: the list in each image, and `make audit`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.audit import list_locks

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = [
    ["ii ", "libc6", "2.36-9+deb12u10", "amd64", "glibc"],
    ["ii ", "openssl", "3.0.15-1~deb12u1", "amd64", "openssl"],
    ["rc ", "gone", "1.0", "all", "gone"],
    ["ii ", "tzdata", "1:2025b-0+deb12u1", "all", "tzdata"],
]


def test_debians_packages_are_listed(tmp_path: Path) -> None:
    """As CycloneDX, with the address by which a scanner knows them; what is removed is not there."""
    lines = "\\n".join("\\t".join(row) for row in INSTALLED)
    (tmp_path / "dpkg-query").write_text(f"#!/bin/sh\nprintf '{lines}\\n'\n", encoding="ascii")
    (tmp_path / "dpkg-query").chmod(0o755)
    (tmp_path / "os-release").write_text('PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n', encoding="ascii")
    command = [sys.executable, ROOT / "docker/sbom.py", tmp_path / "os-release"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = [subprocess.run(command, env=environment, capture_output=True, check=True).stdout for _ in range(2)]
    assert said[0] == said[1]
    listed = json.loads(said[0])
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    python = ".".join(map(str, sys.version_info[:3]))
    assert [component["purl"] for component in listed["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc",
        "pkg:deb/debian/openssl@3.0.15-1~deb12u1?arch=amd64&distro=debian-12",
        "pkg:deb/debian/tzdata@1%3A2025b-0%2Bdeb12u1?arch=all&distro=debian-12",
        f"pkg:generic/python@{python}",
    ]


def test_every_image_lists_them() -> None:
    """Where it is complete: in its last stage."""
    for path in (ROOT / "docker").glob("*.Dockerfile"):
        last = path.read_text(encoding="utf-8").rpartition("\nFROM ")[2]
        assert "sbom.py >/usr/share/sbom/debian.cdx.json" in last, path
        assert "apt-get" not in last.partition("sbom.py")[2], path


class Audit:
    """A project with two locks, and a stand-in for pip-audit that says what it is told for each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pip_audit").mkdir()
        program = (
            "import sys; lock = sys.argv[-1].rpartition('/')[2]; exec(open(sys.path[0] + '/' + lock + '.says').read())"
        )
        (folder / "pip_audit/__main__.py").write_text(program, encoding="utf-8")
        for name in ("requirements.txt", "requirements-tasks.txt"):
            (folder / name).touch()
            self.say(name, [{"name": "a", "version": "1", "vulns": []}])

    def say(self, lock: str, packages: list[dict[str, Any]]) -> None:
        """What pip-audit reports of a lock."""
        text = json.dumps({"dependencies": packages, "fixes": []})
        (self.folder / f"{lock}.says").write_text(f"print({text!r})", encoding="utf-8")

    def run(self) -> tuple[int, str, str]:
        """Exit code and what was said."""
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        command = [sys.executable, ROOT / "local/audit.py", self.folder]
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Audit:
    """In which no package is vulnerable."""
    return Audit(tmp_path)


def test_an_audit_without_findings_says_how_much_was_looked_at(project: Audit) -> None:
    """Of every lock."""
    assert project.run() == (0, "No known vulnerability in 2 locked packages.\n", "")


def test_a_vulnerability_is_named_with_what_mends_it(project: Audit) -> None:
    """The exit code is that of a failure."""
    bad = {
        "name": "b",
        "version": "1.0",
        "vulns": [{"id": "GHSA-1", "fix_versions": ["1.1"]}, {"id": "GHSA-2", "fix_versions": []}],
    }
    project.say("requirements.txt", [bad])
    assert project.run() == (1, "b 1.0: GHSA-1, mended in 1.1\nb 1.0: GHSA-2, mended in no version\n", "")


@pytest.mark.parametrize("says", ["raise ConnectionError('no such host')", "print('no JSON')", "print('{}')"])
def test_without_access_an_audit_says_so_in_one_sentence(project: Audit, says: str) -> None:
    """And not that there is nothing."""
    (project.folder / "requirements-tasks.txt.says").write_text(says, encoding="utf-8")
    code, out, error = project.run()
    assert (code, out, error.count("\n")) == (1, "", 1)
    assert error.startswith("requirements-tasks.txt could not be audited, expected access to OSV's database")


def test_a_package_that_could_not_be_looked_up_is_no_package_without_findings(project: Audit) -> None:
    """pip-audit ends well after it has skipped all of them."""
    project.say(
        "requirements.txt", [{"name": "a", "skip_reason": "not found"}, {"name": "b", "skip_reason": "not found"}]
    )
    code, _, error = project.run()
    assert code == 1
    assert error.startswith("2 packages of requirements.txt could not be audited")


def test_every_lock_is_audited() -> None:
    """The build of PyTorch for CPUs is that for GPUs by name and version."""
    ours = {path.name for path in list_locks(ROOT)}
    installed = re.findall(r"requirements[a-z-]*\.txt", (ROOT / "local/install.sh").read_text(encoding="utf-8"))
    assert set(installed) | {"requirements-torch.txt", "requirements-uv.txt", "requirements-sbom.txt"} <= ours
