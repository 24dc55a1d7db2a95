"""Vectors of media, and the weights they are made with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tasks.encoders import load_encoder
from tasks.encoders.audioclip.encoders import encoders_of
from tasks.encoders.audioclip.preprocess import windows
from tasks.encoders.audioclip.weights import load_model, save_model
from tasks.encoders.weights import check_encoder_name, put_weights
from tasks.errors import BadInput, Corrupt, NotFound, TaskError
from tasks.media import BadMedia
from tasks.store import Store
from tests.encoders.audioclip_world import MAKERS, TINY, random_model

OWN = dict.fromkeys(("image", "audio", "text"), "own")


@torch.no_grad()
def test_a_sound_is_the_mean_of_the_unit_vectors_of_its_windows() -> None:
    """Each window is brought to length 1 before the mean, and the mean is not."""
    model = random_model()
    encoder = encoders_of(model, OWN)["audio"]
    samples = encoder.decode(MAKERS["audio"](1, seconds=3.4))
    pieces = windows(samples)
    assert len(pieces) == 3
    raw = torch.cat([model.encode_audio(torch.from_numpy(piece)[None, None]) for piece in pieces])
    expected = torch.nn.functional.normalize(raw, dim=-1).mean(0).numpy()
    found = encoder.encode([samples])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)
    assert np.linalg.norm(found) < 1


def test_a_text_that_cleans_to_nothing_is_refused() -> None:
    """Where no token is left there is nothing to encode."""
    encoder = encoders_of(random_model(), OWN)["text"]
    with pytest.raises(BadMedia, match="no word"):
        encoder.decode(b"&nbsp; &#32;")


def test_an_unknown_encoder_is_answered_with_the_known(folder_store: Store, tmp_path: Path) -> None:
    """The shipped one and those of the store are named; a name that is a path finds nothing."""
    save_model(random_model(), tmp_path, half=False, facts={})
    put_weights(folder_store, "posters", tmp_path, "audioclip")
    for name in ("clip", "../posters", "posters/x", ""):
        with pytest.raises(NotFound, match=r"expected one of audioclip-demo, .*posters"):
            load_encoder(folder_store, name)


def test_the_current_weights_of_a_name_are_the_last_that_were_put(folder_store: Store, tmp_path: Path) -> None:
    """New weights give another identity and other vectors; the old ones stay where they are."""
    identities, prefixes = set(), set()
    for seed in (1, 2):
        save_model(random_model(seed), tmp_path, half=False, facts={})
        prefixes.add(put_weights(folder_store, "posters", tmp_path, "audioclip"))
        identities.add(load_encoder(folder_store, "posters")["image"].identity)
    assert len(identities) == 2
    assert all(folder_store.stat(f"{prefix}/model.safetensors").size for prefix in prefixes)


@pytest.mark.parametrize("name", ["audioclip-demo", "a/b", "", "x" * 56, "fast.bfloat16", "low.7200hz", "-x"])
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    """The shipped encoder cannot be replaced, and no name may look like an option of another."""
    with pytest.raises(BadInput, match="encoder name"):
        check_encoder_name(name)


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    """Stored in float32 they are the same to the bit, with the facts beside the configuration."""
    model = random_model()
    save_model(model, tmp_path, half=False, facts={"seed": 3})
    loaded = load_model(tmp_path)
    assert loaded.config == TINY
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 3


def test_half_the_bytes_keep_what_float16_cannot_hold(tmp_path: Path) -> None:
    """Kernels are rounded, statistics are not: a variance of a million would be infinite in float16."""
    model = random_model()
    model.audio.bn1.running_var.fill_(1e6)
    save_model(model, tmp_path, half=False, facts={})
    full = (tmp_path / "model.safetensors").stat().st_size
    save_model(model, tmp_path, half=True, facts={})
    assert (tmp_path / "model.safetensors").stat().st_size < 0.75 * full
    loaded = load_model(tmp_path)
    assert torch.equal(loaded.audio.bn1.running_var, model.audio.bn1.running_var)
    assert torch.equal(loaded.audio.window, model.audio.window)
    torch.testing.assert_close(loaded.visual.conv1.weight, model.visual.conv1.weight, rtol=1e-3, atol=1e-6)
    assert not torch.equal(loaded.visual.conv1.weight, model.visual.conv1.weight)


def test_weights_that_are_not_numbers_are_not_saved(tmp_path: Path) -> None:
    """A model that diverged would give vectors that are not numbers."""
    model = random_model()
    with torch.no_grad():
        model.audio.fc.bias[0] = float("nan")
    with pytest.raises(TaskError, match=r"audio\.fc\.bias"):
        save_model(model, tmp_path, half=False, facts={})
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("weights", "config", "kind", "sentence"),
    [
        (b"not a file of tensors", None, Corrupt, "not a safetensors file"),
        (None, b"{}", Corrupt, "not the config"),
        (None, b"[", Corrupt, "not the config"),
        (None, b'{"model": {"depth": 3}}', Corrupt, "not the config"),
        ("other", None, BadInput, "expected the .* of AudioCLIP: missing .*audio"),
    ],
)
def test_files_that_are_no_model_are_refused(
    tmp_path: Path, weights: bytes | str | None, config: bytes | None, kind: type[TaskError], sentence: str
) -> None:
    """What is wrong with them is said in a sentence."""
    save_model(random_model(), tmp_path, half=False, facts={})
    if isinstance(weights, bytes):
        (tmp_path / "model.safetensors").write_bytes(weights)
    elif weights:
        save_file({"conv.weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    if config is not None:
        (tmp_path / "config.json").write_bytes(config)
    with pytest.raises(kind, match=sentence):
        load_model(tmp_path)
