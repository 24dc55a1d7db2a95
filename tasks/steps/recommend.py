"""Recommendations from a published release, for users and programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated

import typer

from tasks.data.records import Records
from tasks.errors import BadInput, NotFound
from tasks.releases.listing import release_names
from tasks.releases.server import Ranked, ReleaseServer
from tasks.steps.options import Dataset
from tasks.store import Store, has_artefact, open_history, open_store, read_artefact, release_prefix

Ids = list[str] | None
Answer = tuple[dict[str, object], list[Ranked]]  # the request, and the items


def recommend(
    *,
    dataset: Dataset,
    user: Annotated[Ids, typer.Option(help="A user of the log; may be given several times.")] = None,
    history: Annotated[
        Ids,
        typer.Option(help="History of a new user: items, oldest first, with commas between or given several times."),
    ] = None,
    similar_to: Annotated[Ids, typer.Option(help="An item; may be given several times.")] = None,
    k: Annotated[int, typer.Option(min=1, help="Number of items, up to the whole catalogue.")] = 10,
    exclude: Annotated[
        Ids, typer.Option(help="Items to leave out, separated by commas or given several times.")
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also show items that the user has already interacted with.")
    ] = False,
    release: Annotated[str | None, typer.Option(help="Name of the release; default: the champion.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a table.")] = False,
) -> dict[str, object]:
    """Recommend items to known users or to new users with a history, or show similar items, from a published release.

    Give exactly one of --user, --history and --similar-to. Only the release is read; without --release the champion is
    looked up once in the metrics database. All ids are those of the log.
    """
    given = [name for name, ids in (("--user", user), ("--history", history), ("--similar-to", similar_to)) if ids]
    if len(given) != 1:
        raise BadInput(f"{' and '.join(given) or 'none'} of --user, --history and --similar-to found, expected one")
    if similar_to and include_seen:
        raise BadInput(
            "--include-seen found with --similar-to, expected it with --user or --history: items have no history"
        )
    served = load_release(open_store(), dataset, find_champion(dataset) if release is None else release)
    hidden = split_ids(served, exclude or [])
    answers: list[Answer] = []
    if history:
        items = split_ids(served, history)
        answer = served.recommend_new(items, k, exclude=hidden, include_seen=include_seen)
        answers.append(({"history": items}, answer))
    answers += [({"user": u}, served.recommend(u, k, exclude=hidden, include_seen=include_seen)) for u in user or []]
    answers += [({"similar_to": item}, served.similar(item, k, exclude=hidden)) for item in similar_to or []]
    head = {"dataset": dataset, "release": served.release, "model": served.model}
    shown = [format_json(head, answers, served.records)] if as_json else format_table(head, answers, served.records)
    for line in shown:
        typer.echo(line)
    return dict(head)


def find_champion(dataset: str) -> str:
    """Name of the release that is served."""
    with open_history() as opened:
        served = opened.champion(dataset)
    if served is None:
        raise NotFound(f"dataset {dataset!r} has no release, expected a run of it to have published one")
    return served.release


def load_release(store: Store, dataset: str, release: str) -> ReleaseServer:
    """The release, ready to answer."""
    prefix = release_prefix(dataset, release)
    if not has_artefact(store, prefix):
        known = release_names(store, dataset)
        raise NotFound(
            f"{prefix} is not in {store.url} or not complete, expected "
            + (f"one of {', '.join(known)}" if known else "a run of the dataset to have published a release")
        )
    return ReleaseServer(read_artefact(store, prefix))


def split_ids(served: ReleaseServer, values: Iterable[str]) -> list[str]:
    """Item ids of an option: what is no id as a whole is split at its commas; empty pieces are left out."""
    ids: list[str] = []
    for value in values:
        ids += [value] if served.knows(value) else [piece.strip() for piece in value.split(",") if piece.strip()]
    return ids


def format_json(head: dict[str, str], answers: list[Answer], records: Records) -> str:
    """Everything as one line of JSON; an item that has a record has it as `record`."""

    def describe(ranked: Ranked) -> dict[str, object]:
        record = records.of(ranked.item)
        return ranked._asdict() | ({"record": record} if record else {})

    rows = [question | {"items": [describe(item) for item in items]} for question, items in answers]
    return json.dumps(head | {"answers": rows}, default=date.isoformat)


def format_table(head: dict[str, str], answers: list[Answer], records: Records) -> Iterator[str]:
    """Lines to show, with titles where there are records."""
    yield f"Release {head['release']} of {head['dataset']}, model {head['model']}."
    for question, items in answers:
        ((kind, asked),) = question.items()
        words = f"Similar to {records.label(str(asked))}" if kind == "similar_to" else f"For {asked}"
        words = "For this history" if kind == "history" else words
        yield ""
        yield f"{words}:" if items else f"{words}: no item is left."
        for rank, (item, score, arrival) in enumerate(items, start=1):
            yield f"{rank:>6}  {score:>10.4f}  {records.label(item)}" + ("  (new)" if arrival else "")
