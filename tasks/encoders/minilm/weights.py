"""Weights of a MiniLM as files."""

from __future__ import annotations

from pathlib import Path

from tasks.encoders.base import MODEL
from tasks.encoders.minilm.config import MiniLMConfig
from tasks.encoders.minilm.model import MiniLM
from tasks.encoders.states import load_strictly, read_config, read_state, write_folder

UNUSED = ("pooler.", "embeddings.position_ids")  # of a BertModel: what a sentence encoder has no use for


def save_model(model: MiniLM, folder: Path) -> None:
    """Write MODEL and CONFIG."""
    write_folder(folder, model.state_dict(), model.config)


def load_model(folder: Path) -> MiniLM:
    """The network of a folder's MODEL and CONFIG, in eval mode. Corrupt or BadInput if the files are not of one."""
    model = MiniLM(read_config(folder, MiniLMConfig))
    state = {key: value for key, value in read_state(folder).items() if not key.startswith(UNUSED)}
    load_strictly(model, state, MODEL)
    return model.eval()
