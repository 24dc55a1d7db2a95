"""Where everything lies in the store: every prefix, and which names may be part of one.

media/<dataset>/<modality>/<item>.<ending>   what people drop
interactions/<dataset>/<sha256>/             logs, by content, with a pointer to the current one
matrices/<dataset>/<modality>/<sha256>/      ready-made matrices, likewise
weights/<encoder>/<sha256>/                  weights of encoders, likewise
training/<encoder>/                          checkpoint of an encoder that is being trained
index/<dataset>.parquet                      content hashes of media that were hashed before
embeddings/<identity>/<modality>/            vectors by content and encoder
runs/<run>/<step>/                           what the steps of a run made
quarantine/<run>/<modality>/                 copies of media that could not be used
releases/<dataset>/<release>/                what is published
"""

from __future__ import annotations

import re

from tasks.errors import BadInput

MEDIA, INTERACTIONS, MATRICES = "media", "interactions", "matrices"  # what datasets are made of
WEIGHTS, RELEASES = "weights", "releases"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # of datasets, models and encoders
RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}"


def interactions_folder(dataset: str) -> str:
    """Where the versions of a dataset's log lie."""
    return f"{INTERACTIONS}/{dataset}"


def matrix_folder(dataset: str, modality: str) -> str:
    """Where the versions of a dataset's ready-made matrix of one modality lie."""
    return f"{MATRICES}/{dataset}/{modality}"


def media_folder(dataset: str) -> str:
    """Where people drop media, ending in a slash."""
    return f"{MEDIA}/{dataset}/"


def checked_dataset(name: str) -> str:
    """`name` if it can be a dataset's."""
    if not re.fullmatch(NAME, name):
        raise BadInput(
            f"dataset {name!r} found, expected at most 64 letters, digits and . _ -, not beginning with a sign"
        )
    return name


def run_name(run: str) -> str:
    """Return `run` if it may be used in keys; Airflow's run ids may."""
    if not re.fullmatch(RUN_NAME, run):
        raise BadInput(f"run name {run!r} found, expected letters, digits and . _ : + - (at most 200)")
    return run


def run_key(run: str, step: str) -> str:
    """Prefix under which `step` of `run` keeps its artefact."""
    return f"runs/{run_name(run)}/{step}"


def release_prefix(dataset: str, release: str) -> str:
    """Where a release lies."""
    return f"{RELEASES}/{dataset}/{release}"


def weights_folder(name: str) -> str:
    """Where the versions of an encoder's weights lie."""
    return f"{WEIGHTS}/{name}"


def training_folder(name: str) -> str:
    """Where the checkpoint lies of an encoder that is being trained."""
    return f"training/{name}"


def embeddings_folder(identity: str, modality: str) -> str:
    """Where the vectors lie that an encoder has made of media."""
    return f"embeddings/{identity}/{modality}"


def quarantine_folder(run: str, modality: str) -> str:
    """Where the media lie that a run could not use."""
    return f"quarantine/{run}/{modality}"


def index_key(dataset: str) -> str:
    """Where the content hashes lie that are known of a dataset's media."""
    return f"index/{dataset}.parquet"
