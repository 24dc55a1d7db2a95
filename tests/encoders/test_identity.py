"""The identity of stored weights: known without torch, and the same as that of the vectors they give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.encoders import ENCODERS, encoder_module, load_encoder, split_name
from tasks.encoders.audioclip.weights import save_model
from tasks.encoders.base import Variant
from tasks.encoders.identity import find_weights, identify
from tasks.encoders.packages import Package
from tasks.encoders.weights import put_weights
from tasks.errors import BadInput, NotFound
from tasks.media import EXTENSIONS
from tasks.runs.config import NUMBERS
from tasks.store import Store, write_artefact
from tasks.store.pointers import point
from tests.encoders.audioclip_world import random_model

ROOT = Path(__file__).resolve().parents[2]


def put(store: Store, folder: Path, name: str, seed: int = 0) -> str:
    """Small weights under a name; returns the sha256 of their file."""
    save_model(random_model(seed), folder, half=False, facts={})
    return put_weights(store, name, folder, "audioclip").rpartition("/")[2]


def test_the_identity_of_the_shipped_weights_is_the_one_it_always_was(folder_store: Store) -> None:
    """Every cached vector lies under it: another spelling would embed all media anew."""
    identity = "audioclip-demo@41d65f0089ae-p2-float32"
    assert identify(folder_store, "audioclip-demo") == dict.fromkeys(("image", "audio", "text"), identity)


def test_name_weights_and_kind_of_numbers_are_in_the_identity(folder_store: Store, tmp_path: Path) -> None:
    """No cached vector of one can be taken for one of another."""
    first = put(folder_store, tmp_path, "own")
    assert identify(folder_store, "own")["image"] == f"own@{first[:12]}-p2-float32"
    assert identify(folder_store, "own.bfloat16")["image"] == f"own@{first[:12]}-p2-bfloat16"
    put(folder_store, tmp_path, "other")
    assert identify(folder_store, "other")["image"] == f"other@{first[:12]}-p2-float32"
    second = put(folder_store, tmp_path, "own", seed=1)
    assert identify(folder_store, "own")["image"] == f"own@{second[:12]}-p2-float32"
    assert first != second


def test_weights_stored_before_there_were_several_architectures_are_still_found(
    folder_store: Store, tmp_path: Path
) -> None:
    """Their manifest names none, and their vectors in the cache stay valid."""
    version = put(folder_store, tmp_path, "own")
    with write_artefact(folder_store, f"weights/old/{version}") as out:
        for name in ("model.safetensors", "config.json"):
            out.file(name).write_bytes((tmp_path / name).read_bytes())
    point(folder_store, "weights/old", version)
    assert identify(folder_store, "old")["text"] == f"old@{version[:12]}-p2-float32"
    assert load_encoder(folder_store, "old")["text"].identity == f"old@{version[:12]}-p2-float32"


def test_weights_of_an_unknown_architecture_are_refused(folder_store: Store, tmp_path: Path) -> None:
    """Stored by a later version of the code, say: the known architectures are named."""
    put(folder_store, tmp_path, "own")
    put_weights(folder_store, "later", tmp_path, "oracle")
    for use in (identify, load_encoder):
        with pytest.raises(BadInput, match="architecture 'oracle' of an encoder found, expected one of audioclip"):
            use(folder_store, "later")


@pytest.mark.parametrize(
    ("name", "weights", "variant"),
    [
        ("own", "own", Variant()),
        ("own.bfloat16", "own", Variant(half=True)),
        ("own.7200hz", "own", Variant(bandwidth=7200)),
        ("own.v2.7200hz.bfloat16", "own.v2", Variant(half=True, bandwidth=7200)),
        ("7200hz", "7200hz", Variant()),
        ("own.bfloat16.7200hz", "own.bfloat16", Variant(bandwidth=7200)),
    ],
)
def test_how_weights_are_used_stands_behind_their_name(name: str, weights: str, variant: Variant) -> None:
    """A bandwidth, and then the kind of numbers; no weights can be given such a name."""
    assert split_name(name) == (weights, variant)


def test_a_bandwidth_is_in_the_identity_of_sounds_alone(folder_store: Store, tmp_path: Path) -> None:
    """Pictures and texts are found in the cache as before."""
    first = put(folder_store, tmp_path, "own")
    found = identify(folder_store, "own.7200hz")
    assert found["audio"] == f"own@{first[:12]}-p2-7200hz-float32"
    assert found["image"] == found["text"] == identify(folder_store, "own")["image"]
    assert load_encoder(folder_store, "own.7200hz")["audio"].identity == found["audio"]


@pytest.mark.parametrize("hertz", ["0", "999", "20001", "44100", "99999999999"])
def test_a_bandwidth_that_is_none_is_refused(hertz: str, folder_store: Store) -> None:
    """With the ones that there are."""
    with pytest.raises(BadInput, match=f"bandwidth of {hertz} Hz found, expected 1000 to 20000"):
        identify(folder_store, f"audioclip-demo.{hertz}hz")


@pytest.mark.parametrize("name", ["clip", "../own", "own/x", "", "x" * 65])
def test_a_name_that_is_none_finds_nothing(folder_store: Store, tmp_path: Path, name: str) -> None:
    """The names that may be asked of the store are those of its layout; the known ones are said."""
    put(folder_store, tmp_path, "own")
    with pytest.raises(NotFound, match=r"expected one of audioclip-demo, .*own"):
        find_weights(folder_store, name)


def test_another_architecture_is_one_entry_of_the_registry(
    folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are stored, identified and loaded as those of AudioCLIP are, and nothing else is to be changed."""

    def load(folder: Path, identities: dict[str, str], device: str, variant: Variant) -> dict[str, tuple[object, ...]]:
        return {"text": ((folder / "model.safetensors").read_bytes(), identities["text"], device, variant.half)}

    parts = {"MODALITIES": ("text",), "PREPROCESSING": "t3", "CHECKPOINTS": {}, "SHIPPED": {}, "load": load}
    parts |= {"HALF": True, "HIGHEST": 0}
    monkeypatch.setitem(sys.modules, "toy_encoder", SimpleNamespace(**parts))  # type: ignore[arg-type]
    monkeypatch.setitem(ENCODERS, "toy", "toy_encoder")
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).write_bytes(b"{}")
    version = put_weights(folder_store, "letters", tmp_path, "toy").rpartition("/")[2]
    identity = f"letters@{version[:12]}-t3-bfloat16"
    assert identify(folder_store, "letters.bfloat16") == {"text": identity}
    assert load_encoder(folder_store, "letters.bfloat16", device="cuda") == {"text": (b"{}", identity, "cuda", True)}


@pytest.mark.parametrize("architecture", ENCODERS)
def test_an_architecture_says_what_it_is(architecture: str) -> None:
    """Modalities that exist, a version of its preprocessing, released weights with their hash, shipped folders."""
    module = encoder_module(architecture)
    assert set(module.MODALITIES) <= {*EXTENSIONS, NUMBERS}
    assert module.PREPROCESSING
    assert all(name.isidentifier() for name in module.OPTIONS)
    assert all(len(bytes.fromhex(one.sha256)) == 32 for one in module.CHECKPOINTS.values())
    for source in module.SHIPPED.values():
        if isinstance(source, Package):
            assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in source.files.values())
        else:
            assert (source / "model.safetensors").is_file()
    assert set(module.LICENCES) == set(module.SHIPPED) | set(module.CHECKPOINTS)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ENCODERS)
def test_no_torch_is_imported_to_know_an_identity(architecture: str, folder_store: Store, tmp_path: Path) -> None:
    """Neither for stored weights nor for the shipped ones."""
    put(folder_store, tmp_path, "own")
    code = (
        "import sys; from tasks.encoders import encoder_module; from tasks.encoders.identity import identify; "
        f"from tasks.store import open_store; store = open_store({folder_store.url!r}); "
        f"[identify(store, name) for name in ['own', *encoder_module({architecture!r}).SHIPPED]]; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
