"""The docker launcher with a real engine: what a task may do, what its log and its end tell, and that nothing stays."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout
from docker.errors import APIError, NotFound
from recsys.launch.docker import SCRATCH, DockerTask, read_environment, remove_containers, request_gpus
from recsys.launch.outcome import Failed, FailedForGood
from structlog.testing import capture_logs

from tests.plugins.bench import DEADLINE, TaskInstance, execute, messages, wait

pytestmark = pytest.mark.containers
# Stands for the task image: its one command is a program, given as the word behind the command's name.
DOCKERFILE = f"""
FROM {os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")}
RUN install -d -o 10001 -g 10001 -m 0700 {SCRATCH}
USER 10001:10001
LABEL recsys.accelerator=cuda
ENTRYPOINT ["python", "-u", "-c", "import sys; exec(sys.argv[2])"]
"""
RIGHTS = """
import json, os
from pathlib import Path

def writable(folder):
    try:
        Path(folder, "file").write_text("x")
    except OSError:
        return False
    return True

status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "uid": os.getuid(),
    "writable": [folder for folder in ("/", "/tmp", "/usr", "/dev/shm", "/scratch") if writable(folder)],
    "capabilities": int(status["CapBnd"], 16) + int(status["CapEff"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "environment": {k: v for k, v in os.environ.items() if k.startswith(("RECSYS_", "OMP_", "AIRFLOW"))},
}))
"""


@dataclass
class Site:
    """An installation: an image, a network, an env file."""

    client: docker.DockerClient
    image: str
    network: str
    env_file: Path
    ti: TaskInstance = field(default_factory=TaskInstance)

    def task(self, program: str, **options: Any) -> DockerTask:
        """The operator for `python -m tasks train <program>`."""
        return DockerTask(task_id="train", command=["train", program], **options)

    def run(self, program: str, **options: Any) -> list[dict[str, Any]]:
        """Run it; what it logged."""
        with capture_logs() as logged:
            execute(self.task(program, **options), self.ti)
        return list(logged)

    def containers(self, network: str | None = None) -> list[Any]:
        """What is there of this installation."""
        wanted = {"label": f"recsys.site={network or self.network}"}
        return list(self.client.containers.list(all=True, filters=wanted, ignore_removed=True))


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The stand-in image."""
    from io import BytesIO

    name = f"recsys-launcher-{uuid.uuid4().hex[:8]}"
    with closing(docker.from_env()) as client:
        client.images.build(fileobj=BytesIO(DOCKERFILE.encode()), tag=name, rm=True)
        yield name
        client.images.remove(name, force=True)


@pytest.fixture
def site(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An installation of its own, with settings for the launcher; all of it is gone afterwards."""
    network = f"recsys-launcher-{uuid.uuid4().hex[:8]}"
    env_file = tmp_path / "tasks.env"
    env_file.write_text("RECSYS_STORE=s3://films\nRECSYS_S3_SECRET_KEY=very-secret-key\nRECSYS_DEVICE=\n")
    monkeypatch.setenv("RECSYS_TASK_IMAGE", image)
    monkeypatch.setenv("RECSYS_TASK_NETWORK", network)
    monkeypatch.setenv("RECSYS_TASK_ENV_FILE", str(env_file))
    monkeypatch.setenv("RECSYS_TASK_MEMORY", "200m")
    monkeypatch.setenv("RECSYS_TASK_CPUS", "1.5")
    with closing(docker.from_env()) as client:
        made = client.networks.create(network, internal=True)
        found = Site(client, image, network, env_file)
        yield found
        for container in found.containers():
            container.remove(force=True, v=True)
        made.remove()


def test_a_task_may_compute_and_write_to_its_scratch_folder_and_nothing_else(site: Site) -> None:
    """Not root, no capability, nothing to be gained by setuid programs, a file system that cannot be changed."""
    found = json.loads(messages(site.run(RIGHTS), "info")[-1])
    assert found["uid"] == 10001
    assert set(found["writable"]) == {"/dev/shm", "/scratch"}  # noqa: S108  64 MB of memory, within the limit
    assert (found["capabilities"], found["no_new_privileges"]) == (0, "1")


def test_it_knows_what_the_env_file_says_and_its_limits_and_nothing_of_airflow(site: Site) -> None:
    """Threads as many as CPUs, for a model three quarters of the memory; an empty value is none."""
    found = json.loads(messages(site.run(RIGHTS), "info")[-1])
    assert found["environment"] == {
        "RECSYS_STORE": "s3://films",
        "RECSYS_S3_SECRET_KEY": "very-secret-key",
        "RECSYS_RUN_URL": "http://airflow.test:8080/dags/dag/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00",
        "RECSYS_MEMORY_GIB": "0.15",
        "OMP_NUM_THREADS": "1",
    }


def test_the_limits_are_set_on_the_container(site: Site) -> None:
    """Memory without swap, CPUs, processes; and its log on the host is bounded."""
    task = site.task("import time; time.sleep(60)")

    def run() -> None:
        with pytest.raises(Failed, match=r"removed while train ran|killed from outside"):
            execute(task, site.ti)

    runner = threading.Thread(target=run)
    runner.start()
    wait(lambda: [c.status for c in site.containers()] == ["running"])
    host = site.containers()[0].attrs["HostConfig"]
    task.on_kill()
    runner.join()
    assert (host["Memory"], host["MemorySwap"]) == (200 * 2**20, 200 * 2**20)
    assert (host["NanoCpus"], host["PidsLimit"], host["Init"]) == (1_500_000_000, 512, True)
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "1"}
    assert not host["Binds"]
    assert not host["Mounts"] if "Mounts" in host else True


def test_secrets_are_masked_in_the_log_and_rendered_nowhere(site: Site) -> None:
    """The command line is all that the UI shows."""
    task = site.task("print('hello')")
    execute(task, site.ti)
    assert task.template_fields == ("command",)
    assert "very-secret-key" not in redact("the key is very-secret-key")
    assert not any("very-secret" in str(value) for value in vars(task).values())


def test_both_streams_are_logged_line_by_line(site: Site) -> None:
    """Standard error as warnings; a progress bar's carriage return ends a line; what comes last is not lost."""
    logged = site.run(
        "import sys; sys.stdout.write('\\r10%\\r90%\\n'); sys.stderr.write('careful\\n'); sys.stdout.write('last')"
    )
    assert messages(logged, "info")[-3:] == ["10%", "90%", "last"]
    assert messages(logged, "warning") == ["careful"]


@pytest.mark.parametrize(
    ("code", "kind", "meaning"),
    [
        (10, FailedForGood, "exit code 10 (validation failed)"),
        (2, FailedForGood, "exit code 2 (bad input)"),
        (1, Failed, "exit code 1"),
    ],
)
def test_an_exit_code_means_what_it_means_everywhere(site: Site, code: int, kind: type, meaning: str) -> None:
    """With the last sentence of standard error, whatever was printed after it; and the container is gone."""
    with pytest.raises(Failed) as caught:
        site.run(f"import sys; sys.stderr.write('first\\n2 found, 3 expected\\n'); print('end'); sys.exit({code})")
    assert type(caught.value) is kind
    assert str(caught.value) == f"train ended with {meaning}: 2 found, 3 expected"
    assert site.ti.pushed["fault"]["exit_code"] == code
    assert site.containers() == []


def test_the_figures_of_a_commands_closing_line_are_shown_with_the_task(site: Site) -> None:
    """As for a child process."""
    site.run("""print('{"published": true}')""")
    assert site.ti.pushed == {"report": {"published": True}}


def test_nothing_to_do_is_skipped(site: Site) -> None:
    """With the reason."""
    with pytest.raises(AirflowSkipException, match=r"^nothing new$"):
        site.run("import sys; sys.exit(print('nothing new', file=sys.stderr) or 99)")


def test_running_out_of_memory_is_said_to_be_that(site: Site) -> None:
    """And names the limit: a killed process could not say it itself."""
    program = "import sys; print('begun', file=sys.stderr); b'x' * 400_000_000"
    with capture_logs() as logged, pytest.raises(Failed) as caught:
        execute(site.task(program), site.ti)
    expected = "out of memory: it needed more than its limit of 200m (RECSYS_TASK_MEMORY)"
    assert messages(logged, "error") == [expected]
    assert str(caught.value).endswith(expected)
    assert "exit code 137" in str(caught.value)


def test_a_helper_that_ran_out_of_memory_does_not_fail_a_command_that_coped(site: Site) -> None:
    """The command knows better whether it mattered."""
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', \"b'x' * 400_000_000\"])"
    site.run(program)


def test_what_an_earlier_attempt_left_is_removed_before_the_next(site: Site) -> None:
    """Its own, by task instance; other tasks of the installation go on."""
    site.ti.task_id, mine = "train", f"dag|{site.ti.run_id}|train|2"
    for name, mark in (("left", mine), ("other", mine.replace("train", "scan"))):
        labels = {"recsys.site": site.network, "recsys.task": mark}
        site.client.containers.run(
            site.image, ["x", "import time; time.sleep(600)"], name=f"{site.network}-{name}", labels=labels, detach=True
        )
    logged = site.run("print('again')")
    assert f"removed container {site.network}-left" in messages(logged, "warning")[0]
    assert [container.name for container in site.containers()] == [f"{site.network}-other"]


def test_a_scheduler_that_starts_removes_all_that_one_before_it_left(site: Site) -> None:
    """Of its own installation: another one on the same machine goes on."""
    other = f"{site.network}-too"
    for name in (site.network, other):
        site.client.containers.run(
            site.image,
            ["x", "import time; time.sleep(600)"],
            name=f"{name}-left",
            labels={"recsys.site": name, "recsys.task": "x"},
            detach=True,
        )
    try:
        assert remove_containers(site.client.api, site.network) == [f"{site.network}-left"]
        assert site.containers() == []
        assert len(site.containers(other)) == 1
    finally:
        assert len(remove_containers(site.client.api, other)) == 1


def test_a_timeout_leaves_neither_container_nor_volume(site: Site) -> None:
    """Nor does anything else that ends the task while its command runs."""
    scratch: list[str] = []

    def look() -> None:
        wait(lambda: [container.status for container in site.containers()] == ["running"])
        scratch.extend(mount["Name"] for mount in site.containers()[0].attrs["Mounts"])
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)  # the time is up

    looker = threading.Thread(target=look)
    looker.start()
    with pytest.raises(AirflowTaskTimeout), timeout(DEADLINE):  # type: ignore[arg-type]
        execute(site.task("import time; time.sleep(600)"), site.ti)
    looker.join()
    assert site.containers() == []
    (volume,) = scratch
    with pytest.raises(NotFound):
        site.client.volumes.get(volume)


def test_an_image_that_is_not_there_is_named_and_not_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    monkeypatch.setenv("RECSYS_TASK_IMAGE", "no-such-image:1")
    with pytest.raises(FailedForGood, match=r"image no-such-image:1 .* is not on this machine.*compose build"):
        site.run("pass")


@pytest.mark.parametrize("content", [None, "RECSYS_STORE\nno equals sign"])
def test_an_env_file_that_cannot_be_read_is_named(site: Site, content: str | None) -> None:
    """Without it a task would fail later, for want of a setting."""
    site.env_file.unlink()
    if content is not None:
        site.env_file.write_text(content)
    with pytest.raises(FailedForGood, match=r"RECSYS_TASK_ENV_FILE. cannot be read, expected lines of NAME"):
        site.run("pass")


def test_what_the_env_file_says_goes_before_what_limits_imply(site: Site) -> None:
    """An operator may know better."""
    site.env_file.write_text("RECSYS_MEMORY_GIB=1\nRECSYS_THREADS=7\n")
    found = read_environment("RECSYS_TASK_ENV_FILE")
    assert (found["RECSYS_MEMORY_GIB"], found["RECSYS_THREADS"]) == ("1", "7")


CDI: dict[str, Any] = {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}
RUNTIME: dict[str, Any] = {"Runtimes": {"runc": {}, "nvidia": {}}}


def test_gpus_are_asked_for_as_the_engine_says_it_has_them() -> None:
    """CDI where it is known, else NVIDIA's runtime, else nothing: asking in vain is refused."""
    assert request_gpus(CDI | RUNTIME) == {
        "Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=all"], "Capabilities": [], "Options": {},
    }  # fmt: skip
    found = request_gpus(RUNTIME)
    assert found is not None
    assert (found["Count"], found["Capabilities"]) == (-1, [["gpu"]])
    assert request_gpus({"Runtimes": {"runc": {}}, "DiscoveredDevices": None}) is None
    assert request_gpus({"DiscoveredDevices": [{"ID": "vendor.com/fpga=all"}]}) is None


def test_without_a_gpu_a_task_that_wants_one_computes_on_the_cpu_and_says_so(site: Site) -> None:
    """This engine has none."""
    logged = site.run("import os; print(os.environ.get('RECSYS_DEVICE'))", gpu=True)
    assert "on the CPU, no GPU is available: the engine knows of none" in messages(logged, "info")
    assert messages(logged, "info")[-1] == "None"


def test_a_gpu_that_was_demanded_and_is_not_there_is_an_error(site: Site) -> None:
    """Hours on a CPU are not what was asked for."""
    site.env_file.write_text("RECSYS_DEVICE=cuda\n")
    with pytest.raises(FailedForGood, match="RECSYS_DEVICE is cuda, and no GPU is available"):
        site.run("pass", gpu=True)


def test_where_the_engine_has_gpus_they_are_asked_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request reaches the engine, which refuses it here; and no container stays."""
    task = site.task("pass", gpu=True)
    monkeypatch.setattr(task.cli, "info", lambda: RUNTIME)
    with capture_logs() as logged, pytest.raises(APIError, match="could not select device driver"):
        execute(task, site.ti)
    assert any(message.startswith("on the GPU") for message in messages(logged, "info"))
    assert site.containers() == []


def test_the_cpu_may_be_chosen_where_there_are_gpus(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """RECSYS_DEVICE=cpu asks for none."""
    site.env_file.write_text("RECSYS_DEVICE=cpu\n")
    task = site.task("pass", gpu=True)
    monkeypatch.setattr(task.cli, "info", lambda: RUNTIME)
    execute(task, site.ti)


def test_an_image_without_cuda_is_not_given_a_gpu(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its PyTorch could not use it, and would fail."""
    task = site.task("pass", gpu=True)
    facts = {"Config": {"Labels": {"recsys.accelerator": "cpu"}}}
    monkeypatch.setattr(task.cli, "info", lambda: RUNTIME)
    monkeypatch.setattr(task.cli, "inspect_image", lambda _: facts)
    with capture_logs() as logged:
        execute(task, site.ti)
    assert any("has a build of PyTorch for cpu, expected cuda" in message for message in messages(logged, "info"))
