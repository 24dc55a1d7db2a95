"""`load-embeddings` on a real store, with matrices that can be used and matrices that cannot."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import BadInput, NotFound
from tasks.steps import load_embeddings as module
from tasks.steps.load_embeddings import load_embeddings, read_ids, read_matrix
from tasks.store import Store, read_artefact
from tasks.store.pointers import current

IDS = ["tt1", "007", "NA"]
MATRIX = np.arange(12, dtype=np.float64).reshape(3, 4) / 7
Load = Callable[..., dict[str, object]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the files and run the command."""

    def run(
        matrix: np.ndarray, ids: list[str], *, modality: str = "image", feature: str | None = None
    ) -> dict[str, object]:
        np.save(tmp_path / "x.npy", matrix)
        (tmp_path / "items.txt").write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
        vectors, items = tmp_path / "x.npy", tmp_path / "items.txt"
        return load_embeddings(dataset="films", modality=modality, vectors=vectors, items=items, feature=feature)

    return run


def test_a_matrix_is_kept_as_float32_with_its_ids_as_written(folder_store: Store, load: Load) -> None:
    """Rows stay with their ids, which stay text, and the pointer leads to them."""
    closing = load(MATRIX, IDS)
    prefix = current(folder_store, "matrices/films/image")
    assert closing == {"matrix": prefix, "changed": True, "items": 3, "width": 4}
    artefact = read_artefact(folder_store, str(prefix))
    np.testing.assert_array_equal(artefact.array("vectors.npy"), MATRIX.astype(np.float32))
    table = artefact.frame("items.csv", dtype=str, keep_default_na=False)
    assert table["item_id"].tolist() == IDS


def test_ids_are_composed(folder_store: Store, load: Load) -> None:
    """Accents as two characters are one id with those as one; both at once are refused."""
    apart, composed = "Jose\u0301", "Jos\u00e9"
    artefact = read_artefact(folder_store, str(load(MATRIX, ["a", apart, "b"])["matrix"]))
    assert artefact.frame("items.csv", dtype=str)["item_id"].tolist() == ["a", composed, "b"]
    with pytest.raises(BadInput, match=r"items\.txt has 'Jose\\u0301' and 'Jos\\xe9' for 'José', expected"):
        load(MATRIX, [apart, "a", composed])


def test_the_version_is_the_content(folder_store: Store, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """The same again changes nothing and says so; other numbers, ids or order are another version."""
    first = load(MATRIX, IDS)
    with caplog.at_level("INFO"):
        assert load(MATRIX.astype(np.float32), IDS) == {**first, "changed": False}
    assert "this matrix is already the current one" in caplog.text
    others = [load(MATRIX + 1, IDS), load(MATRIX, ["a", "b", "c"]), load(MATRIX, IDS[::-1])]
    assert len({str(one["matrix"]) for one in [first, *others]}) == 4
    assert current(folder_store, "matrices/films/image") == others[-1]["matrix"]


def test_a_matrix_may_be_of_a_named_feature(folder_store: Store, load: Load) -> None:
    """Beside that of the modality itself; a name that no run can have is refused."""
    image, named = load(MATRIX, IDS), load(MATRIX + 1, IDS, feature="poster_vgg")
    assert current(folder_store, "matrices/films/image") == image["matrix"]
    assert current(folder_store, "matrices/films/poster_vgg") == named["matrix"]
    for name, sentence in (("Poster", "feature name 'Poster' found"), ("text", "feature 'text' of modality image fou")):
        with pytest.raises(BadInput, match=sentence):
            load(MATRIX, IDS, feature=name)


def test_modalities_are_kept_apart(folder_store: Store, load: Load) -> None:
    """A matrix of texts leaves that of images in place."""
    image, text = load(MATRIX, IDS), load(MATRIX, IDS, modality="text")
    assert current(folder_store, "matrices/films/image") == image["matrix"]
    assert current(folder_store, "matrices/films/text") == text["matrix"]
    with pytest.raises(BadInput, match="modality 'smell' found, expected one of image, audio, text"):
        load(MATRIX, IDS, modality="smell")


def with_value(value: float) -> np.ndarray:
    """The matrix with one number replaced."""
    changed = MATRIX.copy()
    changed[1, 2] = value
    return changed


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize(
    ("matrix", "ids", "message"),
    [
        (with_value(np.nan), IDS, r"x\.npy is not finite in float32 in 1 rows, first in row 2 of item '007'"),
        (with_value(-np.inf), IDS, "first in row 2 of item '007'"),
        (with_value(1e39), IDS, "first in row 2 of item '007'"),
        (MATRIX, IDS[:2], r"items\.txt has 2 ids and x\.npy 3 rows, expected one id per row"),
        (MATRIX, ["a", "b", "a"], r"items\.txt has 'a' 2 times, expected each item once"),
        (MATRIX, ["a", "", "c"], r"items\.txt has the id '' in row 2, expected 1 to 255 characters"),
        (MATRIX, ["a", " b", "c"], "has the id ' b' in row 2"),
        (MATRIX.astype(np.int64), IDS, r"x\.npy holds int64 of shape \(3, 4\), expected floats of shape"),
        (MATRIX.astype(complex), IDS, "holds complex128"),
        (MATRIX[0], IDS, r"holds float64 of shape \(4,\)"),
        (MATRIX[None], IDS, r"holds float64 of shape \(1, 3, 4\)"),
        (MATRIX[:0], [], r"has shape \(0, 4\), expected at least one row"),
        (MATRIX[:, :0], IDS, r"has shape \(3, 0\)"),
        (np.zeros((1, module.WIDEST + 1), np.float32), ["a"], "a width from 1 to 65536"),
    ],
)
def test_what_no_model_could_use_is_refused(load: Load, matrix: np.ndarray, ids: list[str], message: str) -> None:
    """Values, shape, type, and ids that are missing, repeated or unusable."""
    with pytest.raises(BadInput, match=message):
        load(matrix, ids)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2"])
def test_any_layout_of_floats_is_read(tmp_path: Path, order: str, kind: str) -> None:
    """Byte order, precision and memory order are the file's matter."""
    values = np.array(np.arange(6).reshape(2, 3) / 4, dtype=kind, order="F" if order == "F" else "C")
    np.save(tmp_path / "x.npy", values)
    found = read_matrix(tmp_path / "x.npy")
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(found, [[0, 0.25, 0.5], [0.75, 1, 1.25]])


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    """A .npy header and nothing behind it."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_2_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def pickled() -> bytes:
    """A .npy of Python objects, which is a program to be run on reading."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([[{"a": 1}]], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((1 << 40, 1024)), "has 0 bytes after a header of float32 of shape .* expected 4503599627370496"),
        (header((2, 2)) + b"\0" * 15, "has 15 bytes after a header"),
        (header((2, 2)) + b"\0" * 17, "has 17 bytes after a header"),
        (header((-1, 4)), "expected at least one row"),
        (pickled(), r"holds object of shape \(1, 1\), expected floats"),
        (b"", "is not a .npy array of numbers"),
        (b"PK\x03\x04 an npz perhaps", "is not a .npy array of numbers"),
        (b"\x93NUMPY\x01\x00\x10\x00__import__('os')", "is not a .npy array of numbers"),
        (b"\x93NUMPY\x07\x00\x10\x00", "is not a .npy array of numbers"),
    ],
)
def test_a_hostile_file_is_refused_before_anything_is_allocated_or_run(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Headers that lie, objects, and files of another kind."""
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_matrix(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("i.csv", "sha256,item_id\nx,007\ny,NA\n", ["007", "NA"]),
        ("i.csv", '\ufeffitem_id\n"a,b"\n', ["a,b"]),
        ("i.txt", "\ufeffa\r\nb\r\n", ["a", "b"]),
        ("i", "a\nb", ["a", "b"]),
        ("i.txt", "left\u2028right\n", ["left\u2028right"]),
    ],
)
def test_ids_are_read_from_lines_or_a_column(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    """Windows line ends, byte order marks and quotes are no part of an id; other signs are."""
    (tmp_path / name).write_bytes(text.encode())
    assert read_ids(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("i.csv", b"id\n1\n", r"i\.csv has columns \['id'\], expected item_id"),
        ("i.csv", b"", r"i\.csv is not a list of ids"),
        ("i.csv", b'item_id\n"open\n', r"i\.csv is not a list of ids"),
        ("i.txt", b"\xff\xfe\n", r"i\.txt is not a list of ids"),
        ("i.txt", b"a\nb\n\n", r"has the id '' in row 3"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """In one sentence that names the file."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_ids(tmp_path / name)


def test_files_that_are_not_there_are_not_found(tmp_path: Path) -> None:
    """Either of the two."""
    with pytest.raises(NotFound, match=r"expected a \.npy file"):
        read_matrix(tmp_path / "x.npy")
    with pytest.raises(NotFound, match="expected item ids"):
        read_ids(tmp_path / "items.txt")
