"""Sizes of a musicnn, its windows, and the names of its tags. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

RATE = 16_000  # Hz
WINDOW, HOP = 512, 256  # samples of a spectrum, and from one to the next
BANDS = 96  # of the mel scale
FRAMES = 187  # spectra that the network is given at once: three seconds
# In the order of the network's outputs, written as the package has them (`MSD_LABELS`)
TAGS = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock"),
    *("jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow"),
    *("electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient"),
    *("acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country"),
    *("easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb"),
    *("indie pop", "sad", "House", "happy"),
)


class MusicnnConfig(BaseModel):
    """Channels of the parts of the network, and which of its layers is the vector."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Literal["units", "tags"]
    timbral: PositiveInt = 204
    temporal: PositiveInt = 51
    middle: PositiveInt = 64
    units: PositiveInt = 200

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self.units if self.output == "units" else len(TAGS)
