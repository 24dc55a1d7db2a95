"""Print what an image has beside its Python packages, as CycloneDX: Debian's packages, and Python itself.

Runs while the image is built, with nothing but Python. The same image gives the same text.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

FIELDS = ("Package", "Version", "Architecture", "source:Package")


def read_release(path: Path) -> tuple[str, str]:
    """Return the distribution's name and version, as in /etc/os-release."""
    lines = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    values = {name: value.strip('"') for name, _, value in lines}
    return values["ID"], values["VERSION_ID"]


def list_packages() -> list[list[str]]:
    """Return the values of FIELDS of each installed package."""
    form = "\\t".join(["${db:Status-Abbrev}", *(f"${{{field}}}" for field in FIELDS)]) + "\\n"
    said = subprocess.run(["dpkg-query", "--show", "--showformat", form], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in said.stdout.splitlines()]
    return sorted(row[1:] for row in rows if row[0].strip() == "ii")


def describe(distribution: str, version: str, package: list[str]) -> dict[str, object]:
    """Return the component of one package."""
    name, number, architecture, source = package
    where = f"arch={architecture}&distro={distribution}-{version}" + (
        f"&upstream={quote(source)}" if source != name else ""
    )
    purl = f"pkg:deb/{distribution}/{quote(name, safe='')}@{quote(number, safe='')}?{where}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl}


def main() -> None:
    """Print the list."""
    release = read_release(Path(sys.argv[1] if len(sys.argv) > 1 else "/etc/os-release"))
    python = platform.python_version()
    purl = f"pkg:generic/python@{python}"
    components = [describe(*release, package) for package in list_packages()]
    components += [{"type": "application", "bom-ref": purl, "name": "python", "version": python, "purl": purl}]
    listed = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    sys.stdout.write(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
