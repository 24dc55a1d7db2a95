"""torchaudio beside whatever build of torch is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tasks.encoders.torchaudio_import import import_torchaudio


def test_a_mel_front_end_computes() -> None:
    """A tone of 1 kHz is loudest in the band of 1 kHz, and nothing is NaN."""
    transforms = import_torchaudio("torchaudio.transforms")
    mel = transforms.MelSpectrogram(sample_rate=16_000, n_fft=512, n_mels=40)
    second = torch.sin(2 * torch.pi * 1_000 * torch.arange(16_000) / 16_000)
    bands = transforms.AmplitudeToDB()(mel(second))
    assert bands.shape == (40, 63)
    assert torch.isfinite(bands).all()
    centres = import_torchaudio("torchaudio.functional").melscale_fbanks(257, 0.0, 8_000.0, 40, 16_000)
    loudest = int(bands.mean(dim=1).argmax())
    assert centres[:, loudest].argmax() * 16_000 / 512 == pytest.approx(1_000, abs=150)


def test_augmentation_computes() -> None:
    """Masks and a change of speed, in plain torch."""
    transforms = import_torchaudio("torchaudio.transforms")
    masked = transforms.FrequencyMasking(10)(torch.ones(1, 40, 81))
    assert 0 < masked.mean() <= 1
    assert len(transforms.Speed(16_000, 2.0)(torch.ones(16_000))[0]) == 8_000


def test_it_is_imported_when_it_is_used() -> None:
    """Encoders load without it, and the import is in one place."""
    script = "import sys; import tasks.encoders.audioclip.encoders; print('torchaudio' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
    tasks = Path(__file__).parents[2] / "tasks"
    places = [
        path.name
        for path in tasks.rglob("*.py")
        if re.search(r'(import |from |(?<!import_torchaudio\()")torchaudio\b', path.read_text("utf-8"))
    ]
    assert places == ["torchaudio_import.py"]


def test_what_needs_the_extension_says_so() -> None:
    """Forced alignment is compiled code: it works, or is refused in words."""
    functional = import_torchaudio("torchaudio.functional")
    arguments = (torch.zeros(1, 4, 3).log_softmax(-1), torch.ones(1, 2, dtype=torch.int32))
    if sys.modules["torchaudio._extension"]._IS_ALIGN_AVAILABLE:
        assert functional.forced_align(*arguments)[0].shape == (1, 4)
    else:
        with pytest.raises(RuntimeError, match="needs its compiled extension, which does not fit torch"):
            functional.forced_align(*arguments)
