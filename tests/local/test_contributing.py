"""The worked examples of docs/contributing do what their pages say: each is written to files, imported and used."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from local.command_page import section
from tasks.__main__ import COMMANDS, main, summary
from tasks.encoders import ENCODERS, encoder_module, load_encoder
from tasks.encoders.identity import identify
from tasks.encoders.weights import put_weights
from tasks.errors import BadInput
from tasks.models import MODELS
from tasks.store import Store
from tests.contracts import test_every_encoder as every_encoder
from tests.contracts import test_every_model as every_model
from tests.encoders.audioclip_world import MAKERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/contributing"
BLOCK = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def examples(page: str) -> dict[str, str]:
    """Title -> code of each block of a page."""
    return dict(BLOCK.findall((PAGES / page).read_text(encoding="utf-8")))


def registered(page: str, path: str) -> dict[str, str]:
    """The entries of a registry that a page adds."""
    return dict(ast.literal_eval("{" + examples(page)[path] + "}"))


def use(page: str, path: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a block under the name that its path has in the repository, where there is no such file."""
    assert not (ROOT / path).exists()
    file = folder / Path(path).name
    file.write_text(examples(page)[path], encoding="utf-8")
    name = path.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_the_model_keeps_what_every_model_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of MODELS, by the contract's own tests and by the test of its page."""
    use("model.md", "tasks/models/association.py", tmp_path, monkeypatch)
    for name, place in registered("model.md", "tasks/models/__init__.py").items():
        monkeypatch.setitem(MODELS, name, place)
    model, _ = every_model.on_checkerboard("association")
    every_model.test_it_finds_the_withheld_item("association")
    every_model.test_scores_are_finite_float32_of_the_whole_catalogue(model)
    every_model.test_the_order_of_users_does_not_matter(model)
    every_model.test_a_saved_model_scores_the_same(model, tmp_path)
    every_model.test_a_state_of_another_dataset_is_refused(model)
    every_model.test_it_does_not_learn_from_what_is_withheld("association")
    every_model.test_users_and_items_without_interactions_get_finite_scores("association")
    tests = use("model.md", "tests/models/test_association.py", tmp_path, monkeypatch)
    tests.test_its_weights_are_shares_of_users()


def test_the_encoder_keeps_what_every_encoder_promises(
    folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of ENCODERS, from a released file to embeddings of pictures."""
    use("encoder.md", "tasks/encoders/colours.py", tmp_path, monkeypatch)
    for name, place in registered("encoder.md", "tasks/encoders/__init__.py").items():
        monkeypatch.setitem(ENCODERS, name, place)
    np.save(tmp_path / "released.npy", np.random.default_rng(0).normal(size=(64, 16)))
    encoder_module("colours").convert(tmp_path / "released.npy", "colours-16", tmp_path)
    put_weights(folder_store, "colours-16", tmp_path, "colours")
    encoder = load_encoder(folder_store, "colours-16")["image"]
    assert encoder.identity == identify(folder_store, "colours-16")["image"]
    monkeypatch.setitem(every_encoder.WIDTHS, "colours-16", 16)
    make = MAKERS["image"]
    every_encoder.test_vectors_are_finite_float32_of_the_stated_width(encoder, make, "colours-16")
    every_encoder.test_a_row_depends_on_its_own_medium_alone(encoder, make, "image")
    every_encoder.test_no_media_give_no_rows(encoder)
    every_encoder.test_decoding_is_the_same_in_any_thread(encoder, make)
    every_encoder.test_what_is_no_medium_is_refused_with_a_reason(encoder, b"")
    every_encoder.test_a_device_that_is_not_there_is_named(f"file://{tmp_path / 'store'}", "colours-16", "tpu")
    np.save(tmp_path / "odd.npy", np.zeros(3))
    with pytest.raises(BadInput, match=r"shape \(3,\), expected \(64, width\)"):
        encoder_module("colours").convert(tmp_path / "odd.npy", "odd", tmp_path)


def test_the_check_finds_what_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the test of the page; the line for the suite has the names that are there."""
    use("check.md", "tasks/quality/peaks.py", tmp_path, monkeypatch)
    tests = use("check.md", "tests/quality/test_peaks.py", tmp_path, monkeypatch)
    tests.test_a_vector_with_one_peak_is_named()
    suite = (ROOT / "tasks/quality/embeddings.py").read_text(encoding="utf-8")
    (line,) = [code for title, code in examples("check.md").items() if title.startswith("tasks/quality/embeddings.py")]
    around = suite.partition("if _numeric(array):\n")[2].partition("\n    rest =")[0]
    assert line.startswith(" " * 12 + "tables.append(")
    assert "modality, array, own" in around


def test_the_command_works_from_the_command_line(
    folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one of COMMANDS: its summary, its section, its JSON, its error."""
    use("command.md", "tasks/steps/count_media.py", tmp_path, monkeypatch)
    for name, place in registered("command.md", "tasks/__main__.py").items():
        monkeypatch.setitem(COMMANDS, name, place)
    assert summary("count-media").startswith("Count the media of a dataset per modality")
    assert "| `--least` | int, x&gt;=0 | `1` | Expect at least this number of files. |" in section("count-media")
    folder_store.put("media/films/text/1.txt", b"x")
    assert main(["count-media", "--dataset", "films"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"dataset": "films", "text": 1}
    assert main(["count-media", "--dataset", "films", "--least", "2"]) == 2
    assert "1 media of 'films'" in capsys.readouterr().err


def test_the_tests_of_the_command_pass(folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As their page has them."""
    use("command.md", "tasks/steps/count_media.py", tmp_path, monkeypatch)
    tests = use("command.md", "tests/steps/test_count_media.py", tmp_path, monkeypatch)
    tests.test_fewer_than_expected_are_an_error(folder_store)
    tests.test_it_counts_the_media_of_each_modality(folder_store)


@pytest.mark.parametrize("page", [path.name for path in sorted(PAGES.glob("*.md")) if path.name != "index.md"])
def test_every_block_of_a_page_is_python(page: str) -> None:
    """And each place that it names exists, or is a file that the page writes."""
    blocks = examples(page)
    assert len(blocks) >= 2
    for title, code in blocks.items():
        place = ROOT / title.partition(",")[0]
        assert place.exists() or (place.parent.is_dir() and code.startswith('"""')), title
