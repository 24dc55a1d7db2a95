"""The released AudioCLIP weights, by name."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.encoders.audioclip.config import FULL, AudioCLIPConfig

RELEASE = "https://github.com/AndreyGuzhov/AudioCLIP/releases/download/v0.1"


@dataclass(frozen=True)
class Checkpoint:
    """A released file: where it is, and what it must be."""

    url: str
    size: int
    sha256: str
    config: AudioCLIPConfig = FULL


CHECKPOINTS = {
    "audioclip-full": Checkpoint(  # all three towers trained on AudioSet
        f"{RELEASE}/AudioCLIP-Full-Training.pt",
        537_302_068,
        "2441d35b353352c8b1bbfb8f7c687f46314c3d2909e940eaf763b8c17f632c44",
    ),
    "audioclip-partial": Checkpoint(  # the audio tower alone trained: the other two are CLIP's RN50
        f"{RELEASE}/AudioCLIP-Partial-Training.pt",
        537_302_068,
        "1921885b6c3b5de0619f2ef4a9700ecbade758a398b34eb064230c30baef0c75",
    ),
}
