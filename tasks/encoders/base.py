"""What an encoder of one modality is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class ModalityEncoder(Protocol):
    """Turns media of one modality into vectors.

    `identity` is `<name>@<first 12 of the weights' sha256>-<preprocessing version>-<dtype>`: change any of these and no
    cached vector fits any more. `width` is the length of a vector.
    """

    identity: str
    width: int

    def decode(self, data: bytes) -> object:
        """What `encode` wants of one file. On the CPU, in any thread. Raises BadMedia with the reason."""
        ...

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(len(media), width) float32; a row depends on its own medium alone, whatever else is in the batch."""
        ...
