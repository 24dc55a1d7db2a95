"""Look for known vulnerabilities of what the locks name: `make audit`. Needs the database of OSV; runs in .venv/audit.

pip-audit does the work. It is called here because it counts what it could not look up as well, and shows a stack trace
where its database cannot be reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SAME = "requirements-torch-cpu.txt"  # another build of what requirements-torch.txt has


def list_locks(root: Path) -> list[Path]:
    """Return the locks of the project."""
    return sorted(path for path in root.glob("requirements*.txt") if path.name != SAME)


def audit(lock: Path) -> list[dict[str, Any]] | None:
    """Return pip-audit's entry of each package of a lock; None if it did not end with a report."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", "--vulnerability-service=osv"]
    command += ["--disable-pip", "--require-hashes", "--format=json", f"--requirement={lock}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return found


def main(root: Path = ROOT) -> int:
    """Print what was found; 0 if every package was looked up and none has a known vulnerability."""
    found, count = set[str](), 0
    for lock in list_locks(root):
        packages = audit(lock)
        unknown = [package["name"] for package in packages or [] if "vulns" not in package]
        if not packages or unknown:
            what = f"{len(unknown)} packages of {lock.name}" if unknown else lock.name
            sentence = f"{what} could not be audited, expected access to OSV's database of vulnerabilities"
            print(f"{sentence}: nothing is known of them", file=sys.stderr)
            return 1
        count += len(packages)
        for package in packages:
            for one in package["vulns"]:
                mended = ", ".join(one["fix_versions"]) or "no version"
                found.add(f"{package['name']} {package['version']}: {one['id']}, mended in {mended}")
    print("\n".join(sorted(found)) or f"No known vulnerability in {count} locked packages.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
