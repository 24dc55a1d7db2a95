"""What a request to create a container may say. What is passed on is built anew from the values that are known here.

The engine reads JSON in its own way: keys in any case, the last of repeated ones, escapes within names. So nothing of
the text that came is passed on. It is parsed strictly, each value is compared where it stands, and a key that is not
known here is refused, as is one that stands there twice, in whatever case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

SCRATCH: dict[str, Any] = {"/scratch": {}}  # the one volume, which goes with the container
LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}}
PROCESSES = 512  # the most of a container; plugins/recsys/launch/docker.py asks for as many
LEAST_MEMORY = 6 << 20  # bytes; the engine takes no less
SITE, TASK = "recsys.site", "recsys.task"  # labels
UNSET = (  # sent as null
    *("Hostname", "Domainname", "ExposedPorts", "User", "Entrypoint", "WorkingDir", "NetworkingConfig", "MacAddress"),
    *("StopSignal", "Healthcheck", "StopTimeout", "Runtime"),
)
OFF = ("Tty", "OpenStdin", "StdinOnce", "AttachStdin", "NetworkDisabled")
EITHER = ("AttachStdout", "AttachStderr")
GPUS: tuple[dict[str, Any], ...] = (  # by CDI, or by NVIDIA's runtime
    {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=all"], "Capabilities": [], "Options": {}},
    {"Driver": "", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}},
)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([bkmgt]?)b?", re.IGNORECASE)
UNITS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}


class Refused(Exception):
    """A request that running a task does not need."""


@dataclass(frozen=True)
class Limits:
    """Of this installation: the only image and network of a task, and the most it may have."""

    image: str
    network: str  # also the label and the beginning of the names of its containers
    memory: int  # bytes
    nano_cpus: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Limits:
        """Of TASK_IMAGE, TASK_NETWORK, TASK_MEMORY such as `4g` and TASK_CPUS such as `1.5`; ValueError if wrong."""
        size = SIZE.fullmatch(environment["TASK_MEMORY"])
        if size is None:
            raise ValueError(f"TASK_MEMORY is {environment['TASK_MEMORY']!r}, expected a size such as 4g or 512m")
        memory = int(float(size[1]) * 2 ** UNITS[size[2].lower()])
        cpus = int(float(environment["TASK_CPUS"]) * 1e9)
        return cls(environment["TASK_IMAGE"], environment["TASK_NETWORK"], memory, cpus)


def rebuild(body: bytes, limits: Limits) -> bytes:
    """Return the request to create a container, built anew; Refused unless it is one that a task needs."""
    asked = read_object(body)
    built: dict[str, Any] = {}
    take(asked, built, "Image", limits.image)
    take(asked, built, "Volumes", SCRATCH)
    built["Cmd"] = texts("Cmd", asked.pop("Cmd", None))
    built["Env"] = texts("Env", asked.pop("Env", None))
    if not all(map(VARIABLE.fullmatch, built["Env"])):
        refuse("a line of Env", "")
    labels: dict[str, Any] = {}
    given = mapping("Labels", asked.pop("Labels", None))
    take(given, labels, SITE, limits.network)
    (labels[TASK],) = texts(TASK, [given.pop(TASK, None)])
    require_empty("Labels.", given)
    built["Labels"] = labels
    built["HostConfig"] = rebuild_host(mapping("HostConfig", asked.pop("HostConfig", None)), limits)
    for names, values in ((UNSET, [None]), (OFF, [False]), (EITHER, [False, True])):
        for name in [name for name in names if name in asked]:
            found = asked.pop(name)
            if not any(found is value for value in values):
                refuse(name, found)
            built[name] = found
    require_empty("", asked)
    return json.dumps(built).encode()


def rebuild_host(asked: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return the part HostConfig, built anew: few rights, and limits of memory, CPUs, processes and of the log."""
    built: dict[str, Any] = {}
    take(asked, built, "NetworkMode", limits.network)
    take(asked, built, "ReadonlyRootfs", True)
    take(asked, built, "CapDrop", ["ALL"])
    take(asked, built, "SecurityOpt", ["no-new-privileges"])
    take(asked, built, "LogConfig", LOG)
    built["Memory"] = number(asked, "Memory", LEAST_MEMORY, limits.memory)
    built["MemorySwap"] = number(asked, "MemorySwap", built["Memory"], built["Memory"])  # the sum of both: no swap
    built["NanoCpus"] = number(asked, "NanoCpus", 1, limits.nano_cpus)
    built["PidsLimit"] = number(asked, "PidsLimit", 1, PROCESSES)
    if "Init" in asked:
        take(asked, built, "Init", True)
    devices = asked.pop("DeviceRequests", None)
    if devices is not None:
        if not any(same(devices, [gpu]) for gpu in GPUS):
            refuse("HostConfig.DeviceRequests", devices)
        built["DeviceRequests"] = devices
    require_empty("HostConfig.", asked)
    return built


def read_object(body: bytes) -> dict[str, Any]:
    """Parse one JSON object, strictly: UTF-8, no key twice in any case, no NUL in any form, no NaN."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_no_constant)
        text = json.dumps(value, ensure_ascii=False)
        text.encode("utf-8")  # fails for half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON: {type(error).__name__}") from error
    if "\\u0000" in text:
        raise Refused("a NUL is in the body")
    return mapping("the body", value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key.casefold() for key, _ in pairs}) < len(pairs):
        raise Refused("a key stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise Refused(f"{name} is not JSON")


def same(found: object, expected: object) -> bool:
    """Whether both are the same JSON; in Python also 1 equals True and 1.0."""
    return json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


def take(asked: dict[str, Any], built: dict[str, Any], name: str, expected: object) -> None:
    """Move a value that can only be this one."""
    found = asked.pop(name, None)
    if not same(found, expected):
        refuse(name, found)
    built[name] = expected


def number(asked: dict[str, Any], name: str, least: int, most: int) -> int:
    """Take a whole number within bounds."""
    found = asked.pop(name, None)
    if type(found) is not int or not least <= found <= most:
        refuse(name, found)
    return found


def texts(name: str, found: object) -> list[str]:
    """Return what is a list of texts."""
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        refuse(name, found)
    return found


def mapping(name: str, found: object) -> dict[str, Any]:
    """Return what is an object."""
    if not isinstance(found, dict):
        refuse(name, found)
    return found


def require_empty(place: str, left: dict[str, Any]) -> None:
    """Refuse what is left: keys that are not known."""
    for name, value in left.items():
        refuse(f"{place}{name[:60]!r}", value)


def refuse(name: str, found: object) -> NoReturn:
    """Refuse a value. It is not shown: it may hold a secret."""
    raise Refused(f"{name} ({type(found).__name__}) is not what a task needs")
