"""What a run's items are described by: two forms of saying it, and the sentences for what is wrong with either."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tasks.errors import BadInput
from tasks.runs.config import Feature, RunConfig, load_config
from tasks.runs.plan import Plan, find_feature
from tasks.steps.scan import inputs_hash

LONG = "dataset: d\nmodels: [ease]\nfeatures:\n"
POSTER = "  poster: {modality: image, encoder: a}\n"


def load(folder: Path, text: str, **overrides: object) -> RunConfig:
    """A preset of this text, with options on top."""
    path = folder / "p.yaml"
    path.write_text(text)
    return load_config(str(path), overrides)


def test_the_short_form_is_features_named_as_their_modality() -> None:
    """Whoever reads a run sees one form."""
    short = RunConfig(dataset="d", modalities=["image", "text"], encoder="a", models=["ease"])
    features = {"image": {"modality": "image", "encoder": "a"}, "text": {"modality": "text", "encoder": "a"}}
    long = RunConfig.model_validate({"dataset": "d", "models": ["ease"], "features": features})
    assert short.list_features() == long.list_features()
    assert short.feature_names == ["image", "text"]
    assert short.describe_features() == long.describe_features() == features
    assert (short.encoder_names, long.encoder_names) == ("a", "a")


def test_the_long_form_has_an_encoder_for_each_feature(tmp_path: Path) -> None:
    """Two of one modality, and none of another."""
    text = POSTER + "  sound_b: {modality: audio, encoder: b}\n  sound_a: {modality: audio, encoder: a}\n"
    config = load(tmp_path, LONG + text)
    assert config.list_features() == [
        Feature(name="poster", modality="image", encoder="a"),
        Feature(name="sound_b", modality="audio", encoder="b"),
        Feature(name="sound_a", modality="audio", encoder="a"),
    ]
    assert config.encoder_names == "a,b"


@pytest.mark.parametrize(
    ("preset", "hash_before"),
    [
        ("demo", "bd0dd7df1dbc8f1015bd3555391ddadbc1829c2433cd85b1c32f5af2ea5fcfb2"),
        ("ml1m", "f3a2ea2dbd7e5e1c2300d99be29d2f7288af0fafc72131d1df4dd799fb26e355"),
    ],
)
def test_the_hash_of_a_preset_changes_only_where_a_release_does(preset: str, hash_before: str) -> None:
    """Otherwise the first night after an update would find something new where nothing is."""
    media = pd.DataFrame({"modality": ["text"], "item": ["1"], "sha256": ["ab"]})
    assert inputs_hash(media, "interactions/x/1", {}, {"text": "e"}, load_config(preset, {})) == hash_before


def test_what_to_do_without_a_comparison_is_described_where_it_is_chosen() -> None:
    """So a run that was rejected for want of one is repeated when the setting changes, and no other run is."""
    chosen = load_config("demo", {"when_incomparable": "promote"})
    assert chosen.describe() == load_config("demo", {}).describe() | {"when_incomparable": "promote"}


def test_all_choices_are_described_but_the_form_that_is_not_used() -> None:
    """A hyperparameter that is nothing is a choice, too."""
    known = {"dataset": "d", "models": ["ease"], "hyperparameters": {"ease": {"front_end": None}}}
    short = RunConfig.model_validate(known | {"modalities": ["text"], "encoder": "a"}).describe()
    long = RunConfig.model_validate(known | {"features": {"a": {"modality": "text", "encoder": "a"}}}).describe()
    assert set(short) ^ set(long) == {"modalities", "encoder", "features"}
    assert short["hyperparameters"] == long["hyperparameters"] == {"ease": {"front_end": None}}


def test_a_plan_from_before_there_were_features_is_read() -> None:
    """A run that was under way goes on."""
    stored = (
        '{"run": "r", "config": {"dataset": "d", "modalities": ["image", "audio"], "encoder": "a", "models": ["ease"], '
        '"k_core": 5, "split": "random", "seed": 7, "max_bad_share": 0.05, "min_coverage": 0.9, "min_item_coverage": '
        '0.5, "allow_contiguous_ids": false, "tolerance": 0.01, "hyperparameters": {}}, "interactions": "interactions'
        '/d/1", "matrices": {"audio": "matrices/d/audio/1"}, "encoders": {"image": "a@0-p1-float32"}, "inputs_hash": '
        '"0"}'
    )
    plan = Plan.model_validate_json(stored)
    assert find_feature(plan, "audio") == Feature(name="audio", modality="audio", encoder="a")
    assert Plan.model_validate(plan.model_dump(mode="json")) == plan
    with pytest.raises(BadInput, match="feature 'text' found, expected one of the run's: image, audio"):
        find_feature(plan, "text")


def test_an_option_takes_the_place_of_the_other_form_in_the_preset(tmp_path: Path) -> None:
    """As every option goes before the preset."""
    sound = {"sound": {"modality": "audio", "encoder": "b"}}
    assert load_config("demo", {"features": sound}).feature_names == ["sound"]
    config = load(tmp_path, LONG + POSTER, modalities=["text"], encoder="b")
    assert config.describe_features() == {"text": {"modality": "text", "encoder": "b"}}


def feature(text: str) -> str:
    """A preset with one feature, by the line about it."""
    return f"{LONG}  {text}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LONG + POSTER + "encoder: a\n", "features and encoder found, expected one form alone: remove the other"),
        ("dataset: d\nmodels: [ease]\n", "neither modalities nor encoder found, expected modalities and encoder"),
        ("dataset: d\nmodels: [ease]\nencoder: a\n", "encoder found, expected modalities and encoder, or features in"),
        (
            feature("a: {modality: smell, encoder: b}"),
            "features.a.modality: .*'image', 'audio', 'text' or 'numbers', found 'smell'",
        ),
        (feature("a: {modality: image}"), "feature 'a' of image without an encoder found, expected one"),
        (feature("a: {modality: image, encoder: b c}"), "features.a.encoder: .*, found 'b c'"),
        (
            feature("a: {modality: image, encoder: b, layer: 3}"),
            "unknown key .*layer, expected some of encoder, mod",
        ),
        (feature("a: {modality: image, encoder: b, view: x}"), "feature 'a' has view 'x', expected none"),
        (feature("a b: {modality: image, encoder: c}"), "feature name 'a b' found, expected a small letter"),
        (feature("A: {modality: image, encoder: b}"), "feature name 'A' found, expected a small letter"),
        (feature("a.b: {modality: image, encoder: c}"), "feature name 'a.b' found, expected a small letter"),
        (
            feature("text: {modality: image, encoder: a}"),
            "feature 'text' of modality image found, expected another",
        ),
        (LONG + POSTER + POSTER, "poster found twice in one place, expected each name once: rename one"),
        (feature("{}"), "features: .*at least 1"),
    ],
)
def test_what_no_run_can_be_is_said_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Found, expected, what to do."""
    with pytest.raises(BadInput, match=sentence) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)
