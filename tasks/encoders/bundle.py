"""Several encoders under one name, each of which is loaded when it is first looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks.encoders import load_encoder, members_of
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.identity import identify
from tasks.store import Store
from tasks.training.device import require_device


class Bundle(Mapping[str, ModalityEncoder]):
    """Modality -> encoder, of the member that knows the modality. BadInput where there is no such device."""

    def __init__(self, store: Store, name: str, device: str) -> None:
        require_device(device)
        self._store, self._device = store, device
        self._members = {modality: member for member in members_of(name) for modality in identify(store, member)}
        self._loaded: dict[str, ModalityEncoder] = {}

    def __getitem__(self, modality: str) -> ModalityEncoder:
        if modality not in self._loaded:
            self._loaded[modality] = load_encoder(self._store, self._members[modality], device=self._device)[modality]
        return self._loaded[modality]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
