"""The layout of the store: all prefixes, and the names that may be part of them.

media/<dataset>/<modality>/<item>.<ending>   what people drop
interactions/<dataset>/<sha256>/             logs, by content, with a pointer to the current one
items/<dataset>/<sha256>/                    item records, likewise
matrices/<dataset>/<feature>/<sha256>/       ready-made matrices, likewise
weights/<encoder>/<sha256>/                  weights of encoders, likewise
training/<encoder>/                          checkpoint of an encoder that is being trained
index/<dataset>.parquet                      content hashes of media that were hashed before
embeddings/<identity>/<modality>/            vectors by content and encoder
runs/<run>/<step>/                           what the steps of a run made
quarantine/<run>/<feature>/                  copies of media that could not be used
releases/<dataset>/<release>/                what is published
"""

from __future__ import annotations

import re

from tasks.errors import BadInput

MEDIA, INTERACTIONS, ITEMS, MATRICES = "media", "interactions", "items", "matrices"  # the inputs of a dataset
WEIGHTS, RELEASES = "weights", "releases"
RUNS, QUARANTINE, EMBEDDINGS, TRAINING = "runs", "quarantine", "embeddings", "training"
# All that commands write which decode media (extract, encode, train-encoder). Their key of the store writes nothing
# else: no release, no input of a dataset, no other step of a run. `*` also stands for a slash.
MEDIA_WRITES = ("embeddings/*", "quarantine/*", "runs/*/extract-*", "training/*", "weights/*")
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # of datasets, models and encoders
FEATURE = r"[a-z][a-z0-9_]{0,62}"  # part of file names, and of names of a model's parts: no dot, no dash
RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}"


def interactions_folder(dataset: str) -> str:
    """Return the folder of all versions of a dataset's interaction log."""
    return f"{INTERACTIONS}/{dataset}"


def items_folder(dataset: str) -> str:
    """Return the folder of all versions of a dataset's item records."""
    return f"{ITEMS}/{dataset}"


def matrix_folder(dataset: str, feature: str) -> str:
    """Return the folder of all versions of a dataset's ready-made matrix of one feature."""
    return f"{MATRICES}/{dataset}/{feature}"


def media_folder(dataset: str) -> str:
    """Return the folder of a dataset's media, with a final slash."""
    return f"{MEDIA}/{dataset}/"


def check_dataset_name(name: str) -> str:
    """Return `name` if it is a valid dataset name; raises BadInput otherwise."""
    if not re.fullmatch(NAME, name):
        raise BadInput(
            f"dataset {name!r} found, expected at most 64 letters, digits and . _ -, starting with a letter or digit"
        )
    return name


def run_name(run: str) -> str:
    """Return `run` if it is a valid run name, as Airflow's run ids are; raises BadInput otherwise."""
    if not re.fullmatch(RUN_NAME, run):
        raise BadInput(f"run name {run!r} found, expected letters, digits and . _ : + - (at most 200)")
    return run


def run_prefix(run: str) -> str:
    """Return the prefix of everything that the steps of `run` made."""
    return f"{RUNS}/{run_name(run)}"


def run_key(run: str, step: str) -> str:
    """Return the prefix of the artefact of `step` of `run`."""
    return f"{run_prefix(run)}/{step}"


def release_prefix(dataset: str, release: str) -> str:
    """Return the prefix of a release."""
    return f"{RELEASES}/{dataset}/{release}"


def weights_folder(name: str) -> str:
    """Return the folder of all versions of an encoder's weights."""
    return f"{WEIGHTS}/{name}"


def training_folder(name: str) -> str:
    """Where the checkpoint lies of an encoder that is being trained."""
    return f"{TRAINING}/{name}"


def embeddings_folder(identity: str, modality: str) -> str:
    """Return the folder of an encoder's cached embeddings."""
    return f"{EMBEDDINGS}/{identity}/{modality}"


def quarantine_folder(run: str, feature: str) -> str:
    """Return the folder of the media that a run could not decode for a feature."""
    return f"{QUARANTINE}/{run}/{feature}"


def index_key(dataset: str) -> str:
    """Return the key of the known content hashes of a dataset's media."""
    return f"index/{dataset}.parquet"
