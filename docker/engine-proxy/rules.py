"""Which requests the scheduler may make of the engine, and how each is passed on, written anew."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode

from container import Limits, Refused, rebuild

LONGEST_BODY = 60_000  # bytes
VERSION = re.compile(
    r"/v1\.[4-9][0-9](?=/)"
)  # older ones accept rights where they are not looked at, such as at a start
TARGET = re.compile(r"/[!-\"$-~]*")  # printable ASCII, without a fragment
FLAGS = {"0": "0", "1": "1", "false": "0", "true": "1", "False": "0", "True": "1"}
FACTS = ("/_ping", "/version", "/info")
LISTING = {"limit": "-1", "size": "0", "trunc_cmd": "0"}  # what docker-py sends with a list


@dataclass(frozen=True)
class Request:
    """As it came."""

    method: str
    target: str
    body: bytes = b""
    upgrade: bool = False  # asks for a raw stream behind the answer


def permit(request: Request, limits: Limits) -> bytes:
    """Return the request as it goes to the engine; Refused unless running a task needs it."""
    if not TARGET.fullmatch(request.target):
        raise Refused("the target is not a plain path")
    whole, _, query = request.target.partition("?")
    version = VERSION.match(whole)
    prefix = version[0] if version else ""
    path, asked, body = whole.removeprefix(prefix), read_query(query), b""
    if (request.method, path) == ("POST", "/containers/create"):
        name = asked.pop("name", "")
        if not re.fullmatch(container_name(limits), name):
            raise Refused("the name of the container is none of ours")
        body, query = rebuild(request.body, limits), urlencode({"name": name})
    elif request.body:
        raise Refused("there is a body, and none is needed")
    else:
        path, query = permit_without_body(request.method, path, asked, limits)
    if asked:
        raise Refused(f"unknown parameters {sorted(asked)}")
    return write(request.method, f"{prefix}{path}?{query}" if query else prefix + path, body, upgrade=request.upgrade)


def permit_without_body(method: str, path: str, asked: dict[str, str], limits: Limits) -> tuple[str, str]:
    """Return path and query of all other requests; takes the parameters that it knows out of `asked`."""
    name = container_name(limits)
    if method == "GET":
        if path in FACTS or re.fullmatch(f"/containers/{name}/json", path):
            return path, ""
        if unquote(path) == f"/images/{limits.image}/json":
            return f"/images/{quote(limits.image, safe='/:')}/json", ""
        if path == "/containers/json":
            return path, list_ours(asked, limits)
    if method == "DELETE" and re.fullmatch(f"/containers/{name}", path):
        if flag(asked, "link") == "1":
            raise Refused("a link is to be removed")
        return path, urlencode({"v": flag(asked, "v"), "force": flag(asked, "force")})
    if method == "POST" and re.fullmatch(f"/containers/{name}/(start|wait)", path):
        return path, ""
    if method == "POST" and re.fullmatch(f"/containers/{name}/attach", path):
        return path, urlencode({stream: flag(asked, stream) for stream in ("logs", "stream", "stdout", "stderr")})
    raise Refused("it is not among the requests that running a task needs")


def list_ours(asked: dict[str, str], limits: Limits) -> str:
    """Return the query of a list of this installation's containers."""
    filters = json.dumps({"label": [f"recsys.site={limits.network}"]})
    if asked.pop("filters", "") != filters:
        raise Refused("a list of other containers than ours")
    for name, value in LISTING.items():
        if asked.pop(name, value) != value:
            raise Refused(f"{name} is not {value}")
    return urlencode({"all": flag(asked, "all"), "filters": filters})


def container_name(limits: Limits) -> str:
    """Return the pattern of the names of our task containers."""
    return re.escape(limits.network) + "-[0-9a-f]{32}"


def flag(asked: dict[str, str], name: str) -> str:
    """Take 0 or 1, by default 0."""
    value = asked.pop(name, "0")
    if value not in FLAGS:
        raise Refused(f"{name} is neither on nor off")
    return FLAGS[value]


def read_query(query: str) -> dict[str, str]:
    """Return the parameters of a query, each once."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError as error:
        raise Refused("the query cannot be read") from error
    if len(dict(pairs)) < len(pairs):
        raise Refused("a parameter stands there twice")
    return dict(pairs)


def write(method: str, target: str, body: bytes, *, upgrade: bool) -> bytes:
    """Return a request of HTTP/1.1, after whose answer the engine closes the connection."""
    lines = [f"{method} {target} HTTP/1.1", "Host: engine"]
    lines += ["Connection: Upgrade", "Upgrade: tcp"] if upgrade else ["Connection: close"]
    if method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
