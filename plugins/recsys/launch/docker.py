"""Launcher `docker`: a command of the task package in a container of the task image, with few rights.

Settings, in the environment of the scheduler: RECSYS_TASK_IMAGE; RECSYS_TASK_NETWORK, the network of store
and database; RECSYS_TASK_ENV_FILE, a file of NAME=value lines with their addresses and passwords, which only the
container gets; RECSYS_MEDIA_ENV_FILE, the same for commands that decode media, with fewer rights; RECSYS_TASK_MEMORY
and RECSYS_TASK_CPUS, the limits; DOCKER_HOST, the engine or its proxy.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.providers.docker.operators.docker import DockerOperator
from docker import APIClient
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig
from docker.utils import parse_bytes, parse_env_file
from docker.utils.socket import STDERR, STDOUT, frames_iter

from recsys.launch.lines import Lines, Output
from recsys.launch.outcome import KILLED, Failed, FailedForGood, out_of_memory, settle
from recsys.launch.settings import MEDIA_COMMANDS, RUN_URL, hide_secrets, memory_limit, require_setting
from recsys.links import run_url
from recsys.made import LINKS

if TYPE_CHECKING:
    from airflow.sdk import Context

SITE, TASK = "recsys.site", "recsys.task"  # labels: which installation, which task instance
ACCELERATOR = "recsys.accelerator"  # label of the image: the build of PyTorch in it, cpu or cuda
UNIT = "g"  # a gibibyte in a limit of memory
SCRATCH = "/scratch"  # the one place that can be written to, a volume that goes with the container
PROCESSES = 512  # and threads: enough for the pools of the libraries, not for a fork bomb
DEVICE = "RECSYS_DEVICE"
# Share of the memory limit that a model may use; the interpreter and libraries need the rest.
SHARE = 0.75


class DockerTask(DockerOperator):
    """Run `python -m tasks <command>` in a container that is always removed afterwards.

    DockerOperator itself does not suffice: it has no read-only root file system and no limits of CPUs and processes; it
    merges the two streams, so the error message is lost; it must know about GPUs when the DAG is parsed; and it removes
    the container before it can be inspected for out of memory.
    """

    template_fields: Sequence[str] = ("command",)
    operator_extra_links = LINKS
    template_ext: Sequence[str] = ()  # arguments are never names of template files

    def __init__(self, *, command: Sequence[str], gpu: bool = False, **kwargs: Any) -> None:  # noqa: ANN401  Airflow's own
        image = os.environ.get("RECSYS_TASK_IMAGE", "")
        super().__init__(image=image, command=list(command), mount_tmp_dir=False, **kwargs)
        self.gpu = gpu
        self._name: str | None = None

    def execute(self, context: Context) -> None:
        """Run the container to its end; `settle` maps its exit code to an outcome."""
        words = [str(word) for word in self.command or ()]
        image, site = require_setting("RECSYS_TASK_IMAGE"), require_setting("RECSYS_TASK_NETWORK")
        ti = context["ti"]
        mark = f"{ti.dag_id}|{ti.run_id}|{ti.task_id}|{ti.map_index}"
        for left_over in remove_containers(self.cli, site, mark):
            self.log.warning("removed container %s, left over from an earlier attempt of this task", left_over)
        setting = "RECSYS_MEDIA_ENV_FILE" if words[0] in MEDIA_COMMANDS else "RECSYS_TASK_ENV_FILE"
        environment = read_environment(setting)
        environment[RUN_URL] = run_url(ti.dag_id, ti.run_id)
        hide_secrets(environment)
        devices = self._devices(image, environment) if self.gpu else None
        if devices:
            environment[DEVICE] = "cuda"
        self.log.info("python -m tasks %s", " ".join(words))
        self._name = name = f"{site}-{uuid.uuid4().hex}"
        try:
            self.cli.create_container(
                image,
                command=words,
                name=name,
                environment=environment,
                labels={SITE: site, TASK: mark},
                volumes=[SCRATCH],
                host_config=self.cli.create_host_config(**rights(), network_mode=site, device_requests=devices),
            )
            output = self._follow(name)
            code = self.cli.wait(name)["StatusCode"]
            state = self.cli.inspect_container(name)["State"]
        except ImageNotFound as error:
            raise FailedForGood(describe_missing_image(image)) from error
        except NotFound as error:
            sentence = f"container {name} was removed while {words[0]} ran, expected it to end"
            raise Failed(sentence, KILLED) from error
        finally:
            self.on_kill()
            self.cli.close()
        if code and state["OOMKilled"]:
            code, output.error = KILLED, out_of_memory(memory_limit(UNIT))
            self.log.error("%s", output.error)  # the command itself could not
        settle(context, words, code, output.error, output.closing)

    def on_kill(self) -> None:
        """Remove the container, running or not. Its artefact is invisible until the manifest is written, last."""
        name, self._name = self._name, None
        if name is not None:
            remove(self.cli, name)

    def _follow(self, name: str) -> Output:
        """Start the container and log both streams by line until it ends."""
        lines, output = {STDOUT: Lines(), STDERR: Lines()}, Output(self.log)
        ends = ((stream, b"") for stream in lines)
        # Attach before the start, so that no line is lost; not with `attach`, which leaves the connection open.
        attached = self.cli.attach_socket(name, params={"stdout": 1, "stderr": 1, "stream": 1})
        with closing(attached), closing(attached._response):  # the latter is docker-py's hold on the connection
            self.cli.start(name)
            frames = frames_iter(attached, tty=False)  # type: ignore[no-untyped-call]
            for stream, chunk in chain(frames, ends):
                for line in lines[stream].feed(chunk):
                    output.take(line, error=stream == STDERR)
        return output

    def _devices(self, image: str, environment: Mapping[str, str]) -> list[DeviceRequest] | None:
        """Return the device request, or None for the CPU; the reason is logged."""
        if environment.get(DEVICE) == "cpu":
            self.log.info("on the CPU: %s is cpu", DEVICE)
            return None
        try:
            facts = self.cli.inspect_image(image)  # type: ignore[no-untyped-call]
        except ImageNotFound as error:
            raise FailedForGood(describe_missing_image(image)) from error
        build = (facts["Config"]["Labels"] or {}).get(ACCELERATOR)
        request = request_gpus(self.cli.info())
        if request and build == "cuda":
            self.log.info("on the GPU: %s", request)
            return [request]
        why = f"{image} has a build of PyTorch for {build}, expected cuda" if request else "the engine knows of none"
        if environment.get(DEVICE) == "cuda":
            raise FailedForGood(f"{DEVICE} is cuda, and no GPU is available: {why}")
        self.log.info("on the CPU, no GPU is available: %s", why)
        return None


def request_gpus(info: Mapping[str, Any]) -> DeviceRequest | None:
    """How all GPUs are asked for, by what the engine says of itself: CDI, else NVIDIA's runtime, else None."""
    devices = info.get("DiscoveredDevices") or []  # engine 28.2 and later
    if any((device.get("ID") or device.get("Name")) == "nvidia.com/gpu=all" for device in devices):
        return DeviceRequest(driver="cdi", device_ids=["nvidia.com/gpu=all"])
    if "nvidia" in (info.get("Runtimes") or {}):
        return DeviceRequest(count=-1, capabilities=[["gpu"]])
    return None


def rights() -> dict[str, Any]:
    """Return the rights of a task: compute within limits, and write to its scratch volume."""
    return {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES,
        "mem_limit": memory_limit(UNIT),
        "memswap_limit": memory_limit(UNIT),  # none beyond it: swapping for hours is worse than a clear end
        "nano_cpus": int(cpu_limit() * 1e9),
        "init": True,  # reaps, and passes signals on
        "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "1"}),
    }


def cpu_limit() -> float:
    """Limit of CPUs."""
    value = os.environ.get("RECSYS_TASK_CPUS") or str(os.cpu_count() or 1)
    try:
        return float(value)
    except ValueError as error:
        raise FailedForGood(f"RECSYS_TASK_CPUS is {value!r}, expected a number of CPUs such as 1.5") from error


def read_environment(setting: str) -> dict[str, str]:
    """The environment of a task: what the file says that `setting` names, and what the limits imply unless it does."""
    path = require_setting(setting)
    try:
        variables: dict[str, str] = parse_env_file(path)
    except (OSError, DockerException) as error:
        raise FailedForGood(f"{path} ({setting}) cannot be read, expected lines of NAME=value: {error}") from error
    threads = str(max(1, int(cpu_limit())))  # libraries see the CPUs of the host, not those of the container
    planned = parse_bytes(memory_limit(UNIT)) * SHARE / 2**30
    implied = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    implied["RECSYS_MEMORY_GIB"] = f"{planned:.2f}"
    return implied | {name: value for name, value in variables.items() if value}


def remove_containers(client: APIClient, site: str, mark: str | None = None) -> list[str]:
    """Remove what is left of an installation's task containers, or of one task instance's; returns their names."""
    containers = client.containers(all=True, filters={"label": [f"{SITE}={site}"]})
    mine = [one for one in containers if mark is None or one["Labels"].get(TASK) == mark]
    names = [one["Names"][0].removeprefix("/") for one in mine]
    for name in names:
        remove(client, name)
    return names


def remove(client: APIClient, name: str) -> None:
    """Remove a container and its scratch volume, if they still exist."""
    try:
        client.remove_container(name, v=True, force=True)
    except NotFound:
        return
    except DockerException as error:
        if "already in progress" not in str(error):
            raise


def describe_missing_image(image: str) -> str:
    """What to do about it."""
    return f"image {image} (RECSYS_TASK_IMAGE) is not on this machine, expected it to be built: `docker compose build`"
