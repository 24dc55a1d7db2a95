"""The trigger form: its fields, their valid values, and the environment variables with their defaults.

RECSYS_DATASET, RECSYS_MODALITIES, RECSYS_MODELS (commas between), RECSYS_ENCODER, RECSYS_FEATURES (JSON), RECSYS_K,
RECSYS_SPLIT, RECSYS_APPROVAL and RECSYS_CONFIG are read when a DAG file is parsed. A field says "no" when the form is
sent, not an hour later in a task. `make generate` writes MODELS, ENCODERS, PRESETS and PAPERS (with their features).
What else there is, datasets and trained encoders, only the store knows, which no DAG file may ask: `scan` refuses a
name that does not exist, and lists those that do.
"""

from __future__ import annotations

import json
import os

from airflow.sdk import Param

MODALITIES = ["image", "audio", "text"]
MODELS = [
    "popularity",
    "itemknn",
    "ease",
    "cease",
    "ials",
    "cmf",
    "hybrid",
    "bpr",
    "vbpr",
    "lightgcn",
    "mmgcn",
    "mmgcl",
    "dualgnn",
    "lattice",
    "slmrec",
    "bm3",
    "freedom",
    "mgcn",
    "smore",
]
ENCODERS = [
    "offline",
    "audioclip-demo",
    "mobilenet",
    "minilm",
    "musicnn",
    "musicnn-tags",
    "audioclip-full",
    "audioclip-partial",
]
PRESETS = [
    "demo",
    "lfm2k",
    "ml1m",
    "nightly",
]
PAPERS = {
    "lfm2k-features": ["tags", "vggish", "whisper"],
}
NIGHTLY = ["popularity", "ease", "hybrid", "bpr", "vbpr", "lightgcn"]  # `hybrid` is an ensemble of cease and ials
APPROVALS = ["preset", "none", "required"]
SPLITS = ["random", "time", "leave-one-out", "given"]
# The end of a text, in JavaScript (the form) as in Python (the API), whose `$` lets a newline pass.
END = r"(?![\s\S])"
FEATURE = f"^[a-z][a-z0-9_]{{0,62}}{END}"
NAME = f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}{END}"  # as the task package takes names: no option and no formula in one
PRESET = f"^[a-z0-9][a-z0-9_-]{{0,63}}{END}"  # and no path in one of these
MOST_SHARDS = 64  # of each feature: each is a task with a model of its own in memory


def read_setting(variable: str, default: str) -> str:
    """An environment variable; unset or empty means `default`."""
    return os.environ.get(variable) or default


def name(  # noqa: PLR0917  what a field is
    variable: str, default: str, pattern: str, title: str, description: str, offered: list[str] | None = None
) -> Param:
    """A field for one name; of `offered` ones the form makes a list to choose from, in which others can be typed."""
    schema = {"type": "string", "pattern": pattern, "title": title} | ({"examples": offered} if offered else {})
    return Param(read_setting(variable, default), description, schema=schema)


def several(variable: str, known: list[str], usual: list[str], title: str, description: str) -> Param:
    """A field for one or more of `known`; `examples` is what makes the form a list to choose from."""
    default = read_setting(variable, ",".join(usual)).split(",")
    return Param(
        default,
        type="array",
        items={"type": "string", "enum": known},
        minItems=1,
        uniqueItems=True,
        examples=known,
        title=title,
        description=description,
    )


def whole(variable: str, default: int) -> int | str:
    """A whole number from the environment; what is none stays text, which the field then refuses by its name."""
    value = read_setting(variable, str(default))
    return int(value) if value.isdecimal() else value


def count_shards() -> int:
    """RECSYS_SHARDS, the number of tasks that encode each feature side by side; ValueError for what is none."""
    found = whole("RECSYS_SHARDS", 1)
    if not isinstance(found, int) or not 1 <= found <= MOST_SHARDS:
        raise ValueError(f"RECSYS_SHARDS is {found!r}, expected a whole number from 1 to {MOST_SHARDS}")
    return found


def number(default: int | str, least: int, most: int, title: str, description: str) -> Param:
    """Return a field for an integer."""
    return Param(default, type="integer", minimum=least, maximum=most, title=title, description=description)


def features() -> Param:
    """A field for several encoders at once: JSON, or nothing."""
    text = read_setting("RECSYS_FEATURES", "null")
    try:
        default = json.loads(text)
    except ValueError:
        default = text  # which the field then refuses by its name
    one = {
        "type": "object",
        "properties": {
            "modality": {"type": "string", "enum": [*MODALITIES, "numbers"]},
            "encoder": {"type": "string", "pattern": NAME},
            "table": {"type": "string", "pattern": FEATURE},
            "template": {"type": "string", "maxLength": 2000},
        },
        "required": ["modality"],
        "if": {"properties": {"modality": {"const": "numbers"}}},  # which may be taken as they are
        "else": {"required": ["encoder"]},
        "additionalProperties": False,
    }
    return Param(
        default,
        type=["object", "null"],
        minProperties=1,
        propertyNames={"pattern": FEATURE},
        additionalProperties=one,
        title="Features",
        description="In place of Modalities and Encoder, each feature by an encoder of its own: "
        '{"poster": {"modality": "image", "encoder": "audioclip-demo"}, '
        '"tempo": {"modality": "numbers"}, "plot": {"modality": "text", "encoder": "minilm", "template": "{plot}"}}.',
    )


def dataset() -> Param:
    """Return the field for the dataset, which both forms have."""
    return name(
        *("RECSYS_DATASET", "demo", NAME, "Dataset"),
        "Folder under media/ in the store, and name of the releases. The first task lists those that exist.",
    )


INGEST = {"dataset": dataset()}
ROLL_BACK = {
    "dataset": dataset(),
    "release": Param(
        "",
        type="string",
        pattern=f"^(?:{NAME[1 : -len(END)]})?{END}",
        title="Release",
        description="Name of a release that was served once; empty: the one before what is served now.",
    ),
}
MAINTENANCE = {
    "dataset": name(
        *("RECSYS_DATASET", "demo", NAME, "Dataset"),
        "Whose served release an email about a failure names; house is kept for all datasets.",
    )
}
PAPER = {
    "paper": Param(
        next(iter(PAPERS)),
        type="string",
        enum=list(PAPERS),
        title="Paper",
        description="File in papers/ without .yaml.",
    ),
    "seeds": number(0, 0, 100, "Seeds", "Trainings of each model; 0: as many as the paper says."),
    "dataset": name(
        *("RECSYS_DATASET", "demo", NAME, "Dataset"),
        "Whose served release an email about a failure names; the paper says which dataset it is about.",
    ),
}
RETRAIN = {
    "dataset": dataset(),
    "modalities": several(
        "RECSYS_MODALITIES", MODALITIES, MODALITIES, "Modalities", "Kinds of media that are used; any subset."
    ),
    "models": several(
        "RECSYS_MODELS", MODELS, NIGHTLY, "Models", "Models to train; the best on validation is published."
    ),
    "encoder": name(
        "RECSYS_ENCODER",
        "offline",
        NAME,
        "Encoder",
        "offline (mobilenet, musicnn and minilm), or another that the command encoders lists; behind it .bfloat16 for "
        "speed at full size, .7200hz for sounds of several rates. A change encodes all media again.",
        ENCODERS,
    ),
    "features": features(),
    "k": number(
        whole("RECSYS_K", 5),
        1,
        100,
        "k of the k-core",
        "Minimum number of interactions of every user and item.",
    ),
    "split": Param(
        read_setting("RECSYS_SPLIT", "random"),
        type="string",
        enum=SPLITS,
        title="Split",
        description="How interactions become training, validation and test; given: by the labels in the log.",
    ),
    "seed": number(7, 0, 2**31 - 1, "Seed", "The same seed gives the same metrics."),
    "force": Param(False, type="boolean", title="Force", description="Run even if nothing is new."),
    "force_publish": Param(
        False, type="boolean", title="Force publish", description="Publish also what the gate would reject; recorded."
    ),
    "approval": Param(
        read_setting("RECSYS_APPROVAL", "preset"),
        type="string",
        enum=APPROVALS,
        title="Approval",
        description="required: a release that the gate accepts waits until a human approves it; preset: as that says.",
    ),
    "config": name(
        "RECSYS_CONFIG",
        "nightly",
        PRESET,
        "Preset",
        "File in tasks/configs/ with everything else: thresholds and hyperparameters.",
        PRESETS,
    ),
}
