"""What each artefact of a run was made from, by content: results of different versions of a run never go together.

A step that is run again with the same result has the same content, so a repeated `scan` of unchanged media leaves
later steps valid, and one that gives another plan does not.
"""

from __future__ import annotations

from tasks.errors import BadInput
from tasks.runs.plan import Plan
from tasks.store import Artefact, Store, read_artefact
from tasks.store.layout import run_key


def is_made_from(artefact: Artefact, source: Artefact) -> bool:
    """Whether `artefact` was made from the current content of `source`."""
    return artefact.manifest.inputs.get(source.prefix) == source.manifest.content


def say_current(artefact: Artefact, *sources: Artefact) -> dict[str, bool]:
    """Say of each source whether `artefact` was made from its current content."""
    return {f"{artefact.prefix} made from {source.prefix}": is_made_from(artefact, source) for source in sources}


def require_made_from(artefact: Artefact, *sources: Artefact) -> None:
    """Raise BadInput unless `artefact` was made from the current content of each of `sources`."""
    for source in sources:
        if not is_made_from(artefact, source):
            raise BadInput(
                f"{artefact.prefix} was made from another {source.prefix} than the current one, expected the same: "
                "run the steps from there on again"
            )


def read_made(store: Store, plan: Plan, *steps: str) -> list[Artefact]:
    """Read the artefacts of `steps` of a run.

    Raises BadInput unless each, and everything of the run that they come from, was made from what stands there now.
    """
    sources = list_sources(plan)
    known: dict[str, Artefact] = {}

    def read(prefix: str) -> Artefact:
        if prefix not in known:
            known[prefix] = artefact = read_artefact(store, prefix)
            require_made_from(artefact, *map(read, sources.get(prefix, [])))
        return known[prefix]

    return [read(run_key(plan.run, step)) for step in steps]


def list_sources(plan: Plan) -> dict[str, list[str]]:
    """Return what each artefact of a run, up to its evaluations, has to be made from, all as prefixes."""
    features, log = plan.config.feature_names, plan.interactions
    scan, align, prepare = (run_key(plan.run, step) for step in ("scan", "align", "prepare"))
    extracts = {name: run_key(plan.run, f"extract-{name}") for name in features}
    matrices = {name: [plan.matrices[name]] for name in features if name in plan.matrices}
    sources = {extract: [scan, *matrices.get(name, [])] for name, extract in extracts.items()}
    sources[align] = [scan, *extracts.values()]
    sources[run_key(plan.run, "check-embeddings")] = [scan, log, *extracts.values(), align]
    sources[prepare] = [scan, log, align]
    sources[run_key(plan.run, "check-dataset")] = [scan, log, align, prepare]
    for model in plan.config.models:
        trained = run_key(plan.run, f"train-{model}")
        sources[trained] = [scan, prepare]
        sources[run_key(plan.run, f"evaluate-{model}")] = [scan, prepare, trained]
    return sources
