"""A copy of a model for inference: the same vectors with less work.

Batch norms are folded into convolutions, which run in one pass with their activation or sum (`convolution.py`), spectra
come from kernels that are computed once or from an FFT (`spectrum.py`), and texts are cut to the longest of a batch.
"""

from __future__ import annotations

import copy
from functools import cached_property

import torch
from torch import Tensor, nn

from tasks.encoders.audioclip.fast.audio import FastAudioTower
from tasks.encoders.audioclip.fast.image import FastImageTower
from tasks.encoders.audioclip.fast.spectrum import Spectrum
from tasks.encoders.audioclip.fast.text import FastTextTower
from tasks.encoders.audioclip.model import AudioCLIP


class FastAudioCLIP:
    """Equal to the plain model in eval mode up to the order of sums.

    With `half` most products are of bfloat16. Not in bfloat16 are spectra, whose decibels it holds too coarsely, and
    the layers of the sound tower in which rounding grows most (`audio.py`). Towers are prepared when first used.
    """

    def __init__(self, model: AudioCLIP, *, half: bool = False, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self._model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False).to(self.device)
        self._dtype = torch.bfloat16 if half else torch.float32

    @cached_property
    def _audio(self) -> tuple[Spectrum, FastAudioTower]:
        return Spectrum(self._model.audio), FastAudioTower(self._model.audio, self._dtype)

    @cached_property
    def _image(self) -> FastImageTower:
        return FastImageTower(self._model.visual, self._dtype)

    @cached_property
    def _text(self) -> FastTextTower:
        return FastTextTower(self._model, self._dtype)

    @torch.inference_mode()
    def audio(self, windows_BT: Tensor) -> Tensor:
        """Return (B, D) unit vectors of (B, WINDOW) samples at int16 scale."""
        spectrum, tower = self._audio
        return unit(tower(spectrum(windows_BT.to(self.device))))

    @torch.inference_mode()
    def image(self, pixels_B3HW: Tensor) -> Tensor:
        """Return (B, D) unit vectors of normalised pixels."""
        return unit(self._image(pixels_B3HW.to(self.device)))

    @torch.inference_mode()
    def text(self, tokens_BT: Tensor) -> Tensor:
        """Return (B, D) unit vectors of token ids; attention is causal, so tokens after end-of-text do not matter."""
        last = int(tokens_BT.argmax(dim=-1).max()) + 1
        return unit(self._text(tokens_BT[:, :last].to(self.device)))


def unit(x_BD: Tensor) -> Tensor:
    """Normalise rows to length 1, in float32."""
    return nn.functional.normalize(x_BD.float(), dim=-1)
