"""Lay out MovieLens-1M with posters, plots and stand-in sounds for `load-media` and `load-interactions`.

    python benchmarks/ml1m.py DATA OUT [--items N] [--audio]

DATA holds ml1m/ml1m_implicit.tsv.gz, ml1m/movies_extrainfos.dat, ml1m_posters/images/<MovieID>.jpg and, for --audio,
esc10/<class>/*.ogg. MovieLens has no sound: with --audio each film gets an ESC-10 clip chosen by a hash of its id. The
audio is unrelated to the film, so a run with it tests the pipeline, not the benefit of sound.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import shutil
from pathlib import Path


def plots(path: Path) -> dict[str, str]:
    """Return film id -> plot, the tenth field of the `::`-separated table; the 36 films with N/A are left out."""
    rows = (line.split("::") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {row[0]: row[9].strip() for row in rows if row[9].strip() not in {"", "N/A"}}


def clip_of(item: str, clips: list[Path]) -> Path:
    """Return the stand-in clip of `item`, always the same one."""
    return clips[int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "big") % len(clips)]


def lay_out(data: Path, out: Path, *, items: int | None = None, audio: bool = False) -> dict[str, int]:
    """Write OUT/{image,text[,audio]}/<MovieID>.*, and OUT/interactions.tsv; returns the counts.

    `items` limits the number of films (the first by id, of those with a poster) and keeps only their interactions.
    """
    posters = sorted((data / "ml1m_posters" / "images").glob("*.jpg"), key=lambda path: int(path.stem))
    texts = plots(data / "ml1m" / "movies_extrainfos.dat")
    if items is not None:
        posters = posters[:items]
        texts = {path.stem: texts[path.stem] for path in posters if path.stem in texts}
    folders = {name: out / name for name in ("image", "text", *(["audio"] if audio else []))}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for poster in posters:
        _copy(poster, folders["image"] / poster.name)
    for item, plot in texts.items():
        (folders["text"] / f"{item}.txt").write_text(plot, encoding="utf-8")
    if audio:
        clips = sorted((data / "esc10").glob("*/*.ogg"))
        for item in {*texts, *(poster.stem for poster in posters)}:
            _copy(clip_of(item, clips), folders["audio"] / f"{item}.ogg")
    kept = {poster.stem for poster in posters} if items is not None else None
    rows = _interactions(data / "ml1m" / "ml1m_implicit.tsv.gz", out / "interactions.tsv", kept)
    return {"image": len(posters), "text": len(texts), "interactions": rows}


def _copy(source: Path, target: Path) -> None:
    """A link would lead out of the folder, where `load-media` does not follow it."""
    if not target.exists():
        shutil.copyfile(source, target)


def _interactions(source: Path, target: Path, kept: set[str] | None) -> int:
    """Copy user and film ids; the order column of the source has missing values and is not a timestamp."""
    count = 0
    with gzip.open(source, "rt", encoding="utf-8") as read, target.open("w", encoding="utf-8") as write:
        next(read)
        write.write("user_id\titem_id\n")
        for line in read:
            user, item, _ = line.rstrip("\n").split("\t")
            if kept is None or item in kept:
                write.write(f"{user}\t{item}\n")
                count += 1
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=int)
    parser.add_argument("--audio", action="store_true")
    options = parser.parse_args()
    print(lay_out(options.data, options.out, items=options.items, audio=options.audio))
