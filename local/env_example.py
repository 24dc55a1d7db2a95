"""Text of .env.example: the .env of docker/stack.sh without secrets, and all other settings of docker-compose.yaml."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# An example of .env, written by `make generate`; nothing reads this file. `make env` writes the real one with
# new secrets, and with the limits and the engine's socket of the machine. A line without `#` is one that .env has;
# values that are made on each machine are empty here.

"""
REST = """
# Everything else that docker-compose.yaml reads, with its defaults. To change one, put it into .env without the `# `.
"""
ECHO = re.compile(r'^ {8}(?:echo(?: "(?P<line>.*)")?|for name in \$SECRETS; do .*)$', re.MULTILINE)
SETTING = re.compile(r"\$\{([A-Z][A-Z0-9_]*):([-?])((?:[^{}]|\$\{[^{}]*\})*)\}")


def write_env_example() -> str:
    """Text of the file. The lines of .env are the `echo` lines of `write_env` in docker/stack.sh."""
    script = (ROOT / "docker/stack.sh").read_text(encoding="utf-8")
    compose = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
    (secrets,) = re.findall(r'^SECRETS="(.*)"$', script, re.MULTILINE)
    written = script.partition("\nwrite_env() {")[2].partition("} >.env.part")[0]
    lines = []
    for match in ECHO.finditer(written):
        if "$SECRETS" in match[0]:
            lines += [f"{name}=" for name in secrets.split()]
        else:
            lines.append(example_line(match["line"] or ""))
    own = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    others = {name: default for name, default in list_settings(compose).items() if name not in own}
    rest = "".join(f"# {name}={default}\n" for name, default in sorted(others.items()))
    return HEAD + "\n".join(lines) + "\n" + REST + rest


def example_line(line: str) -> str:
    """A line of .env; a value that is made on the machine is empty, and one from the shell is its default."""
    name, sign, value = line.partition("=")
    if line.startswith("#") or "$" not in value:
        return line
    setting = SETTING.fullmatch(value)
    return name + sign + (setting[3] if setting and "$(" not in setting[3] else "")


def list_settings(compose: str) -> dict[str, str]:
    """Name and default of each `${NAME:-default}` of a compose file, also of those within a default."""
    found: dict[str, str] = {}
    for name, sign, default in SETTING.findall(compose):
        found.setdefault(name, default if sign == "-" else "")
        found |= {inner: value for inner, value in list_settings(default).items() if inner not in found}
    return found
