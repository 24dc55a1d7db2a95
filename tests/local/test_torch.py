"""docker/torch.sh: which build of PyTorch is installed, and that it is the locked one."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
UV = "0.13.9"
# Lock -> what is in it here, first what it is named after.
LOCKED = {"torch": ["torch==2.13.0", "nvidia-large==1.0"], "torch-cpu": ["torch==2.13.0+cpu"], "uv": [f"uv=={UV}"]}


def wheel_name(package: str) -> str:
    """Beginning of the name of a package's file."""
    name, _, version = package.partition("==")
    return f"{name.replace('-', '_')}-{version}"


def digest(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Index:
    """An empty environment, a folder in which pip finds builds of PyTorch, and locks; nothing comes from a network."""

    def __init__(self, folder: Path) -> None:
        self.locks = folder / "locks"
        self.locks.mkdir(parents=True)
        self.wheels = folder / "wheels"
        self.wheels.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        self.python = folder / "venv/bin/python"

    def add(self, name: str, version: str, needs: str = "", script: str | None = None) -> None:
        """A package of nothing but its name, and a program of the same name."""
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + needs
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        with zipfile.ZipFile(self.wheels / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", metadata)
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
            if script:
                program = zipfile.ZipInfo(f"{info.removesuffix('dist-info')}data/scripts/{name}")
                program.external_attr = 0o100755 << 16
                wheel.writestr(program, script)

    def add_for_gpus(self, version: str) -> None:
        """A build of PyTorch for GPUs, and what it needs."""
        self.add("nvidia-large", "1.0")
        self.add("torch", version, "Requires-Dist: nvidia-large\n")

    def lock(self) -> None:
        """Lock the builds that are there now, under the names that the real locks have."""
        for build, packages in LOCKED.items():
            found = {package: list(self.wheels.glob(f"{wheel_name(package)}-py3-none-any.whl")) for package in packages}
            lines = [
                " ".join([package, *(f"--hash=sha256:{digest(wheel)}" for wheel in wheels)])
                for package, wheels in found.items()
                if wheels
            ]
            lines += [f"{packages[0]} --hash=sha256:{'0' * 64}"] if not found[packages[0]] else []
            (self.locks / f"requirements-{build}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")

    def install(self, *, lock: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the script, with the builds locked that are there."""
        if lock:
            self.lock()
        mine = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        environment = {"PATH": os.environ["PATH"], "TORCH_LOCKS": str(self.locks)} | mine | settings
        words = ["sh", ROOT / "docker/torch.sh", self.python]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    def installed(self) -> dict[str, str]:
        """Packages of the environment, with their versions."""
        program = "from importlib.metadata import distributions as d; print({x.name: x.version for x in d()})"
        said = subprocess.run([self.python, "-c", program], capture_output=True, text=True, check=True).stdout
        found: dict[str, str] = eval(said)  # noqa: S307  our own line
        return {name: version for name, version in found.items() if name in {"torch", "nvidia-large"}}


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Without any build yet."""
    return Index(tmp_path)


def test_the_build_for_cpus_is_taken_where_there_are_several(index: Index) -> None:
    """With a name of its own it is found without a look at the others, which pip would prefer."""
    index.add("torch", "2.13.0+cpu")
    index.add_for_gpus("2.13.0+cu130")
    done = index.install(ACCELERATOR="cpu")
    assert (done.returncode, done.stderr) == (0, "")
    assert index.installed() == {"torch": "2.13.0+cpu"}


def test_without_a_build_for_cpus_the_large_one_is_announced_and_works_too(index: Index) -> None:
    """In one line, with what avoids it."""
    index.add_for_gpus("2.13.0")
    done = index.install(ACCELERATOR="cpu")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert "No build of PyTorch for CPUs was found" in line
    assert "TORCH_INDEX_URL" in line
    assert index.installed() == {"torch": "2.13.0", "nvidia-large": "1.0"}


@pytest.mark.parametrize("version", ["2.13.0", "2.13.0+cpu"])
def test_with_a_gpu_a_build_for_cpus_is_refused_before_it_is_installed(index: Index, version: str) -> None:
    """Whatever it is called: what it needs tells."""
    index.add("torch", version)
    done = index.install(ACCELERATOR="cuda")
    assert done.returncode == 1
    assert done.stderr.startswith("a build of PyTorch for CPUs found, expected one for GPUs: set ACCELERATOR=cpu, or")
    assert index.installed() == {}


def test_the_index_of_pytorchs_makers_is_asked_before_the_large_build_is_taken(index: Index, tmp_path: Path) -> None:
    """By uv; here another program of that name, which finds the build in a folder of its own."""
    makers = Index(tmp_path / "makers")
    makers.add("torch", "2.13.0+cpu")
    script = f"""#!/bin/sh
case "$*" in *"--python {index.python} "*--no-deps*--torch-backend=cpu*--require-hashes*) ;; *) exit 2 ;; esac
cd {makers.locks}
exec {index.python} -m pip install -q --find-links {makers.wheels} --require-hashes -r requirements-torch-cpu.txt
"""
    makers.lock()
    index.add("uv", UV, script=script)
    index.add_for_gpus("2.13.0")
    done = index.install(ACCELERATOR="cpu")
    assert (done.returncode, done.stderr) == (0, "")
    assert index.installed() == {"torch": "2.13.0+cpu"}


def test_with_a_gpu_a_build_for_gpus_is_taken(index: Index) -> None:
    """And where nothing is said, what there is."""
    index.add_for_gpus("2.13.0")
    assert index.install(ACCELERATOR="cuda").returncode == 0
    assert index.install().returncode == 0
    assert index.installed() == {"torch": "2.13.0", "nvidia-large": "1.0"}


def test_an_index_without_pytorch_is_told_of_by_pip(index: Index) -> None:
    """A fault of the network is none of the build."""
    for accelerator in ("cpu", "cuda", ""):
        done = index.install(ACCELERATOR=accelerator)
        assert done.returncode != 0
        assert "No matching distribution found for torch==2.13.0" in done.stderr


def test_an_accelerator_that_is_none_is_named(tmp_path: Path) -> None:
    """Before anything else."""
    words = ["sh", ROOT / "docker/torch.sh", tmp_path / "python"]
    done = subprocess.run(words, env=os.environ | {"ACCELERATOR": "gpu"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "ACCELERATOR of 'gpu' found, expected cuda, cpu or nothing\n")


@pytest.mark.parametrize(("accelerator", "version"), [("cpu", "2.13.0+cpu"), ("cuda", "2.13.0"), ("", "2.13.0")])
def test_a_build_that_is_not_the_locked_one_is_refused(index: Index, accelerator: str, version: str) -> None:
    """Of the same name and version, and with other bytes; unless no hash is asked for."""
    index.add("torch", version) if version.endswith("cpu") else index.add_for_gpus(version)
    index.lock()
    (index.wheels / f"torch-{version}-py3-none-any.whl").unlink()
    needs = "Requires-Dist: nvidia-large\n" if accelerator != "cpu" else ""
    index.add("torch", version, needs + "Summary: another one\n")
    done = index.install(lock=False, ACCELERATOR=accelerator)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("PyTorch was not installed, expected the build whose hashes are in requirements-torch")
    assert last.endswith("for another one set TORCH_UNVERIFIED=1, and no hash is asked for")
    assert "torch" not in index.installed()
    assert index.install(lock=False, ACCELERATOR=accelerator, TORCH_UNVERIFIED="1").returncode == 0
    assert index.installed()["torch"] == version


def test_both_builds_and_all_that_they_need_are_locked() -> None:
    """At one version, with hashes, beside the lock of the tasks, which has what the build for CPUs needs."""
    texts = {build: (ROOT / f"requirements-{build}.txt").read_text(encoding="utf-8") for build in (*LOCKED, "tasks")}
    names = {build: re.findall(r"^([a-z0-9-]+)==\S+", text, re.MULTILINE) for build, text in texts.items()}
    assert names["torch-cpu"] == ["torch"]
    assert re.findall(r"^torch==(\S+)", texts["torch-cpu"], re.MULTILINE) == ["2.13.0+cpu"]
    assert re.findall(r"^torch==(\S+)", texts["torch"], re.MULTILINE) == ["2.13.0"]
    assert not set(names["torch"]) & set(names["tasks"])
    assert {"triton", "cuda-toolkit", "nvidia-nccl-cu13"} < set(names["torch"])
    assert {"filelock", "fsspec", "jinja2", "networkx", "setuptools", "sympy", "typing-extensions"} < set(
        names["tasks"]
    )
    for build, text in texts.items():
        assert text.count("--hash=sha256:") >= len(names[build]), build
    assert texts["torch-cpu"].count("--hash=") == 6  # Python 3.11 to 3.13, x86_64 and aarch64
