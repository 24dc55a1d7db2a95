"""A fitted model in an artefact: `model.safetensors` (what it learned) and `config.json` (name, hyperparameters)."""

from __future__ import annotations

from tasks.data import Dataset
from tasks.errors import Corrupt
from tasks.models import build_model
from tasks.models.base import Model
from tasks.store import Artefact, ArtefactWriter


def save_model(artefact: ArtefactWriter, model: Model) -> None:
    """Write everything that `load_model` needs in addition to the dataset."""
    artefact.tensors("model.safetensors", model.state())
    artefact.json("config.json", {"model": model.name, "config": model.config.model_dump(mode="json")})


def load_model(artefact: Artefact, data: Dataset) -> Model:
    """Load a model written by `save_model`; `data` must be the dataset that it was fitted on.

    Raises Corrupt if shapes differ.
    """
    content = artefact.json("config.json")
    if not isinstance(content, dict) or set(content) != {"model", "config"}:
        raise Corrupt(f"{artefact.prefix}/config.json holds something else than the keys model and config: train again")
    return build_model(content["model"], content["config"], data).load_state(artefact.tensors("model.safetensors"))
