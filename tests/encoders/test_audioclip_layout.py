"""Names, shapes and numbers of the weights: those of the released checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.encoders.audioclip.config import DEMO, AudioCLIPConfig
from tasks.encoders.audioclip.model import AudioCLIP
from tests.encoders.audioclip_world import TINY


@pytest.fixture(scope="module")
def full() -> AudioCLIP:
    """The full-size model, with random weights."""
    return AudioCLIP()


def test_the_full_model_has_the_released_numbers_of_names_and_parameters(full: AudioCLIP) -> None:
    """861 names and 134,111,910 parameters in all, and each tower its share."""
    state, parameters = full.state_dict(), dict(full.named_parameters())

    def count(prefix: str) -> tuple[int, int]:
        chosen = [value.numel() for name, value in parameters.items() if name.startswith(prefix)]
        return sum(name.startswith(prefix) for name in state), sum(chosen)

    assert count("") == (861, 134_111_910)
    assert count("visual.") == (339, 38_316_896)
    assert count("transformer.") == (144, 37_828_608)
    assert count("audio.") == (370, 32_104_771)


@pytest.mark.realdata
def test_the_full_model_has_the_original_names_shapes_and_kinds(full: AudioCLIP, shared_reference: Path) -> None:
    """Every name of the original is here with its shape and dtype, parameters and buffers apart, and no other."""
    original = json.loads((shared_reference / "audioclip_state_dict.json").read_text())
    found = {
        key: {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        for key, value in full.state_dict().items()
    }
    expected = {
        key: {"shape": entry["shape"], "dtype": entry["dtype"].removeprefix("torch.")}
        for key, entry in original["state_dict"].items()
    }
    assert found == expected
    assert {name for name, _ in full.named_parameters()} == set(original["parameters"])
    assert {name for name, _ in full.named_buffers()} == set(original["buffers"])


def test_a_narrow_model_keeps_the_width_of_its_vectors() -> None:
    """The shipped configuration is small, and its vectors are as wide as those of the full model."""
    model = AudioCLIP(DEMO)
    assert DEMO.embed_dim == 1024
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_600_000
    assert model.token_embedding.num_embeddings == 2 + (DEMO.vocab_buckets or 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text_width": 30, "text_heads": 4}, "text_width 30 is not a multiple of text_heads 4"),
        ({"audio_width": 5, "audio_groups": 4}, "twice audio_width 5 is not a multiple of audio_groups 4"),
        ({"image_resolution": 50}, "multiple of 32"),
        ({"vision_layers": (1, 1, 1)}, "vision_layers"),
        ({"depth": 3}, "depth"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, object], sentence: str) -> None:
    """An impossible pair of sizes or an unknown one is named."""
    with pytest.raises(ValidationError, match=sentence):
        AudioCLIPConfig.model_validate(TINY.model_dump() | change)
