"""Weights in installed packages: found, verified, and missed with a sentence."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.encoders import encoder_module, list_shipped, load_encoder
from tasks.encoders.identity import find_weights, identify
from tasks.encoders.packages import LOCK, Package
from tasks.encoders.weights import check_encoder_name
from tasks.errors import BadInput, Corrupt, NotFound
from tasks.store import Store, sha256_of

CONTENT = b"weights"
PACKAGED = {name: source for name, (_, source) in list_shipped().items() if isinstance(source, Package)}


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package of one file, whose code would not survive an import."""
    (folder / "toy_weights").mkdir()
    (folder / "toy_weights/__init__.py").write_text("raise SystemExit('imported')")
    (folder / "toy_weights/w.bin").write_bytes(CONTENT)
    (folder / "toy_weights-1.0.dist-info").mkdir()
    (folder / "toy_weights-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\n"
    )
    monkeypatch.syspath_prepend(folder)
    return Package("toy-weights", "1.0", {"toy_weights/w.bin": hashlib.sha256(CONTENT).hexdigest()})


def test_a_file_is_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an import of the package."""
    package = install(tmp_path, monkeypatch)
    assert package.installed
    assert package.path(package.weights).read_bytes() == CONTENT
    assert "toy_weights" not in sys.modules


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both sha256 and what to install."""
    package = install(tmp_path, monkeypatch)
    (tmp_path / "toy_weights/w.bin").write_bytes(b"poison")
    with pytest.raises(Corrupt, match=f"expected {package.sha256}: install toy-weights==1.0 of requirements-offline"):
        package.path(package.weights)


@pytest.mark.parametrize("gone", ["package", "file"])
def test_a_package_that_is_not_there_is_named(gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; also if it is another version without that file."""
    package = install(tmp_path, monkeypatch)
    if gone == "file":
        (tmp_path / "toy_weights/w.bin").unlink()
    else:
        package = Package("no-such-toy", "1.0", package.files)
    assert not package.installed
    for use in (package.require, lambda: package.path(package.weights)):
        with pytest.raises(NotFound, match=f"package {package.name} is not installed, .* install requirements-offline"):
            use()


@pytest.mark.parametrize("name", PACKAGED)
def test_weights_of_a_package_that_is_not_there_are_missed_by_the_first_command(
    name: str, folder_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a night begins, not in its middle."""
    architecture, source = list_shipped()[name]
    assert isinstance(source, Package)
    absent = Package("no-such-toy", source.version, source.files, source.config)
    monkeypatch.setitem(encoder_module(architecture).SHIPPED, name, absent)  # type: ignore[arg-type]
    for use in (find_weights, identify, load_encoder):
        with pytest.raises(NotFound, match="package no-such-toy is not installed, expected its weights: install"):
            use(folder_store, name)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_code_of_a_package_is_never_imported(name: str, folder_store: Store) -> None:
    """What is in it is data: neither its modules nor what it asks for are loaded."""
    source = PACKAGED[name]
    if not source.installed:
        pytest.skip(f"{source.name} is not installed")
    module = source.weights.partition("/")[0]
    code = (
        "import sys; from tasks.encoders import load_encoder; from tasks.store import open_store; "
        f"load_encoder(open_store({folder_store.url!r}), {name!r}); "
        f"print([n for n in ({module!r}, 'tensorflow', 'librosa', 'transformers') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", PACKAGED)
def test_the_identity_has_the_sha256_of_the_file(name: str, folder_store: Store) -> None:
    """It is pinned in the code, and known without reading the file."""
    source = PACKAGED[name]
    if not source.installed:
        pytest.skip(f"{source.name} is not installed")
    (identity,) = identify(folder_store, name).values()
    assert identity.startswith(f"{name}@{sha256_of(source.path(source.weights))[:12]}-")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_lock_has_the_versions_that_the_code_names(name: str) -> None:
    """Else what `make install` brings would be refused."""
    lock = (Path(__file__).resolve().parents[2] / LOCK).read_text(encoding="utf-8")
    assert f"\n{PACKAGED[name].name}=={PACKAGED[name].version} \\\n" in f"\n{lock}"


@pytest.mark.parametrize("name", list_shipped())
def test_no_other_weights_are_given_the_name_of_shipped_ones(name: str) -> None:
    """Those of the store would never be found."""
    with pytest.raises(BadInput, match=f"encoder name '{name}' found, expected .* none of audioclip-demo"):
        check_encoder_name(name)
