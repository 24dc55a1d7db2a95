"""README and docs are correct: targets, commands and variables are those of the code, and links lead somewhere."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tasks.__main__ import COMMANDS, summary
from tasks.models import model_class
from tasks.quality.drift import LIMITS
from tasks.runs.config import RunConfig

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path: path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md"))]}
USERS = "".join(text for path, text in PAGES.items() if path.name != "CHANGELOG.md")  # which names what is gone, too
TARGETS = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
VARIABLE = re.compile(r"\bRECSYS_[A-Z][A-Z0-9_]*[A-Z0-9]\b")
INNER = {"RECSYS_RUN_URL", "RECSYS_STACK", "RECSYS_TASK"}  # set by one process for its children, never by users
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
TYPED = re.compile(r"(?:python -m tasks|run --rm(?: -\S+(?: \S+:\S+)?)* (?:tasks|media)) ([a-z][a-z-]+)")


def test_every_make_target_that_the_docs_name_exists() -> None:
    """They also name every target."""
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )?make\s([a-z][a-z0-9-]+)", USERS))
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", USERS, re.MULTILINE | re.DOTALL):
        named |= set(re.findall(r"(?:^ *|&& )(?:[A-Z_]+=\S+ )?make ([a-z][a-z0-9-]+)", block, re.MULTILINE))
    assert named == set(TARGETS) - {"help"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_has_a_line_of_help(target: str) -> None:
    """`make` without a target shows it."""
    assert re.search(rf"^{target}:.*## \S", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_docs_with_its_own_words(name: str) -> None:
    """The table has the same summaries as `python -m tasks`."""
    assert f"| [`{name}`](#{name}) | {summary(name)} |" in PAGES[ROOT / "docs/commands.md"]


def test_every_command_that_the_docs_type_exists() -> None:
    """In the containers and without."""
    typed = set(TYPED.findall(USERS))
    assert len(typed) > 10
    assert typed <= set(COMMANDS)


def test_every_limit_of_a_change_is_in_the_docs() -> None:
    """With the most that is accepted, its severity and its reason."""
    rows = [line for line in PAGES[ROOT / "docs/validation.md"].splitlines() if line.startswith("| `")]
    for name, limit in LIMITS.items():
        (row,) = [line for line in rows if f"`{name}`" in line.split("|")[1]]
        assert row.endswith(f"| {limit.most:g} | {limit.severity} | {limit.reason} |")


def test_every_variable_that_the_code_reads_is_in_the_docs() -> None:
    """The docs name no other variables."""
    code = [path for folder in ("dags", "plugins", "tasks", "local") for path in (ROOT / folder).rglob("*.py")]
    read = {name for path in code for name in VARIABLE.findall(path.read_text(encoding="utf-8"))} - INNER
    documented = set(VARIABLE.findall(USERS))
    documented |= {f"RECSYS_S3_{end}" for end in re.findall(r"`_([A-Z_]+)`", USERS)}
    assert documented == read


def test_every_variable_is_in_a_table_of_the_configuration() -> None:
    """Not only somewhere in a sentence."""
    rows = "".join(re.findall(r"^\| (`.*?) \|", PAGES[ROOT / "docs/configuration.md"], re.MULTILINE))
    documented = set(VARIABLE.findall(rows)) | {f"RECSYS_S3_{end}" for end in re.findall(r"`_([A-Z_]+)`", rows)}
    assert set(VARIABLE.findall(USERS)) <= documented


def test_hyperparameters_that_the_docs_show_are_accepted() -> None:
    """The models have hyperparameters of these names."""
    shown = re.findall(r"```yaml\n(hyperparameters:.*?)```", USERS, re.DOTALL)
    assert shown
    for text in shown:
        for name, values in yaml.safe_load(text)["hyperparameters"].items():
            assert model_class(name).configure(values)


def test_features_that_the_docs_show_are_accepted() -> None:
    """As a preset may have them: of media, of a table, and of a table by an encoder of rows."""
    shown = re.findall(r"```yaml\n(features:.*?)```", USERS, re.DOTALL)
    configs = [RunConfig.model_validate(yaml.safe_load(text) | {"dataset": "d", "models": ["ease"]}) for text in shown]
    features = [feature for config in configs for feature in config.list_features()]
    assert [feature.modality for feature in features].count("audio") == 2
    assert {feature.encodes_rows for feature in features if feature.modality == "numbers"} == {True, False}


def test_every_threshold_of_a_preset_is_in_the_docs_with_its_default() -> None:
    """A threshold is a field of a preset that is neither in the form nor a hyperparameter."""
    for name, field in RunConfig.model_fields.items():
        form = {"modalities", "encoder", "features", "k_core", "split", "seed", "hyperparameters"}
        if not field.is_required() and name not in form:
            default = json.dumps(field.get_default(call_default_factory=True))
            assert re.search(rf"^\| `{name}` \| .* \| `{default}` \|$", USERS, re.MULTILINE), name


def test_the_readme_says_how_to_load_own_data_in_six_lines_both_ways() -> None:
    """With Docker and without, one after the other."""
    own = PAGES[ROOT / "README.md"].partition("## Your own data")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", own, re.DOTALL)
    assert [block.count("\n") for block in blocks] == [6, 6]
    assert len(PAGES[ROOT / "README.md"].splitlines()) <= 130


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    """Pictures too; mkdocs checks those between pages of the site, and not those of the README."""
    for link in LINK.findall(PAGES[path]):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_in_the_navigation() -> None:
    """A page that nothing lists would not be found."""
    listed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    docs = ROOT / "docs"
    assert sorted(listed) == sorted(str(path.relative_to(docs)) for path in PAGES if docs in path.parents)


def test_pictures_are_small() -> None:
    """Below 200 kB each, so that a page is there at once."""
    pictures = [path for path in (ROOT / "docs/images").iterdir() if path.suffix in {".png", ".svg"}]
    assert len(pictures) >= 2
    assert all(path.stat().st_size < 200_000 for path in pictures)


def anchors(text: str) -> set[str]:
    """Names of the headings of a page, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_version_stands_the_same_everywhere() -> None:
    """pyproject.toml, the images, the compose file and the newest entry of the changelog."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for path in [*ROOT.glob("docker/*.Dockerfile"), ROOT / "docker-compose.yaml"]:
        assert re.findall(r"VERSION(?:=|:-)(\d[\w.]*)", path.read_text(encoding="utf-8")) == [version], path.name
    newest = re.search(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", PAGES[ROOT / "CHANGELOG.md"], re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_each_image_gets_only_what_dockerignore_lets_through() -> None:
    """A COPY of anything else would fail in the build."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    for path in ROOT.glob("docker/*.Dockerfile"):
        copies = re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(encoding="utf-8"), re.MULTILINE)
        sources = {source.split("/")[0] for copy in copies for source in copy.split()}
        assert {"LICENSE", "NOTICE"} <= sources <= allowed, path.name


def test_the_hooks_are_the_tools_of_make_check() -> None:
    """All local; what `make check` calls is what they call."""
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repo["repo"] == "local"
    assert all(hook["language"] == "system" for hook in repo["hooks"])
    entries = " ".join(hook["entry"] for hook in repo["hooks"])
    lint = (ROOT / "local/test.sh").read_text(encoding="utf-8").partition("\nlint() {")[2].partition("\n}")[0]
    tools = set(re.findall(r"-m (ruff (?:check|format)|mypy)|(lint-imports|hadolint|local/docs\.sh)", lint))
    assert len(tools) == 6
    assert all("".join(tool) in entries for tool in tools)
