"""`encoders` lists what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.__main__ import main
from tasks.encoders import encoder_module, list_shipped, load_encoder
from tasks.encoders.packages import Package
from tasks.encoders.weights import put_weights
from tasks.steps.encoders import encoders
from tasks.store import Store
from tests.encoders.small import small_weights


def listed(found: dict[str, object]) -> dict[str, dict[str, object]]:
    """By name."""
    rows = found["encoders"]
    assert isinstance(rows, list)
    return {row["name"]: row for row in rows}


def test_every_encoder_is_listed_with_what_it_is(folder_store: Store, tmp_path: Path) -> None:
    """Those that come with the code, in packages, in the store, and those that can be downloaded."""
    small = small_weights()["small-mobilenet"]
    small.write(tmp_path)
    put_weights(folder_store, "ours", tmp_path, small.architecture)
    rows = listed(encoders())
    assert list(rows) == [*list_shipped(), "offline", "ours", "audioclip-full", "audioclip-partial"]
    assert rows["ours"] | {"identity": None} == {
        "name": "ours",
        "modalities": ["image"],
        "width": small.width,
        "installed": True,
        "licence": None,
        "needs": "",
        "identity": None,
    }
    assert rows["audioclip-demo"]["identity"] == "audioclip-demo@41d65f0089ae-p2-float32"
    assert rows["audioclip-full"]["needs"] == "command `weights audioclip-full`"
    assert (rows["audioclip-full"]["installed"], rows["audioclip-full"]["licence"]) == (False, "MIT")


@pytest.mark.parametrize("name", list_shipped())
def test_what_is_listed_is_what_is_loaded(name: str, folder_store: Store) -> None:
    """The modalities, the width and the identity."""
    row = listed(encoders())[name]
    if not row["installed"]:
        pytest.skip(f"{row['needs']} is not installed")
    for modality, encoder in load_encoder(folder_store, name).items():
        assert (encoder.width, encoder.identity) == (row["width"], row["identity"])
        assert modality in row["modalities"]  # type: ignore[operator]
    assert row["licence"]


def test_a_package_that_is_not_installed_is_listed_so(folder_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its width, and without an identity."""
    package = list_shipped()["minilm"][1]
    assert isinstance(package, Package)
    absent = Package("no-such-toy", "1.0", package.files, package.config)
    monkeypatch.setitem(encoder_module("minilm").SHIPPED, "minilm", absent)  # type: ignore[arg-type]
    row = listed(encoders())["minilm"]
    assert (row["installed"], row["width"], row["identity"]) == (False, 384, None)
    assert row["needs"] == "package no-such-toy==1.0"


def test_it_prints_a_table_and_a_line_of_json(folder_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """As other commands do."""
    assert main(["encoders"]) == 0
    assert next(iter(listed(json.loads(capsys.readouterr().out.splitlines()[-1])))) == "audioclip-demo"
