"""The kubernetes launcher: the pods that it makes, and what their end means. No cluster takes part."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from kubernetes import client
from kubernetes.client import models as k8s
from recsys.launch.container import container
from recsys.launch.kubernetes import CONTAINER, PodTask
from recsys.launch.outcome import Failed, FailedForGood

from tests import control_plane
from tests.plugins.bench import TaskInstance

VERSIONS = ("1.30", "1.34")  # of Kubernetes: one that is old, one that is new


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of an installation."""
    monkeypatch.setenv("RECSYS_LAUNCHER", "kubernetes")
    monkeypatch.setenv("RECSYS_TASK_IMAGE", "example.org/recsys-tasks:1")
    monkeypatch.setenv("RECSYS_TASK_NAMESPACE", "recsys")
    monkeypatch.setenv("RECSYS_TASK_SECRET", "recsys-store")
    monkeypatch.setenv("RECSYS_MEDIA_SECRET", "recsys-store-media")
    monkeypatch.setenv("RECSYS_TASK_GPUS", "1")


def pod_of(task: Any) -> dict[str, Any]:
    """What would be sent to the cluster."""
    pod = task.build_pod_request_obj(None, dry_run=True)
    sent: dict[str, Any] = client.ApiClient().sanitize_for_serialization(pod)
    return sent


@pytest.mark.parametrize("version", VERSIONS)
def test_every_task_of_the_dags_is_a_valid_pod(version: str) -> None:
    """By the published schema, strictly: an unknown or misspelt field is an error."""
    tasks = pod_tasks()
    for task in tasks:
        kubernetes_validate.validate(pod_of(task), version, strict=True)
    assert len(tasks) >= 6


def pod_tasks() -> list[PodTask]:
    """Every task of every DAG that runs a command."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(control_plane.ROOT / "dags"))
    assert not bag.import_errors
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    real = [task.unmap({"command": [task.task_id, "bpr"]}) if task.is_mapped else task for task in tasks]
    return [task for task in real if isinstance(task, PodTask)]


def test_of_every_dag_the_tasks_that_decode_media_have_the_lesser_secret_and_no_others() -> None:
    """By the command, whatever a DAG calls the task: nobody who writes a DAG has to think of it."""
    found = {str(task.command[0]): secret_of(pod_of(task)) for task in pod_tasks()}
    assert found.pop("extract") == "recsys-store-media"
    assert {"scan", "train", "publish", "promote", "discover"} <= set(found)
    assert set(found.values()) == {"recsys-store"}
    for command in ("encode", "train-encoder"):  # which no DAG runs yet
        pod = pod_of(container(command, "--run", "r", task_id="another-name"))
        assert secret_of(pod) == "recsys-store-media"


def secret_of(pod: dict[str, Any]) -> str:
    """The Secret that is the environment of its only container."""
    ((source,),) = [made["envFrom"] for made in pod["spec"]["containers"]]
    return str(source["secretRef"]["name"])


def test_without_the_lesser_secret_media_are_not_decoded_with_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is named."""
    monkeypatch.delenv("RECSYS_MEDIA_SECRET")
    with pytest.raises(FailedForGood, match="RECSYS_MEDIA_SECRET is not set"):
        pod_of(container("extract", "--run", "r"))


def test_the_schema_would_refuse_a_pod_that_is_not_one() -> None:
    """So the test above can fail."""
    pod = pod_of(container("publish", "--run", "r"))
    pod["spec"]["containers"][0]["resources"]["limit"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, VERSIONS[-1], strict=True)


def test_the_same_words_are_the_arguments_of_the_image() -> None:
    """Whose entry point is `python -m tasks`."""
    task = container("check-dataset", "--run", "{{ run_id }}")
    task.render_template_fields({"run_id": "nightly-1"})
    (made,) = pod_of(task)["spec"]["containers"]
    assert made["args"] == ["check-dataset", "--run", "nightly-1"]
    assert not made.get("command")
    assert made["image"] == "example.org/recsys-tasks:1"


def test_without_an_image_there_is_no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which setting is missing, instead of asking the cluster for nothing."""
    monkeypatch.delenv("RECSYS_TASK_IMAGE")
    with pytest.raises(FailedForGood, match="RECSYS_TASK_IMAGE is not set"):
        pod_of(container("check-dataset"))


def test_it_has_few_rights_and_limits() -> None:
    """Not root, nothing to write to but scratch, no account of the cluster; requests equal limits."""
    pod = pod_of(container("publish", "--run", "r"))
    (made,) = pod["spec"]["containers"]
    assert made["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert [mount["mountPath"] for mount in made["volumeMounts"]] == ["/scratch"]
    assert made["resources"]["limits"] == made["resources"]["requests"] == {"memory": "4Gi", "cpu": "2"}
    assert pod["spec"]["restartPolicy"] == "Never"  # retrying is Airflow's business


def test_a_gpu_is_asked_for_by_tasks_that_want_one_and_no_others() -> None:
    """As a resource; the device follows it."""
    trains, publishes = (
        pod_of(container(name, "--run", "r", gpu=name == "train"))["spec"]["containers"][0]
        for name in ("train", "publish")
    )
    assert trains["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "RECSYS_DEVICE", "value": "cuda"} in trains["env"]
    assert "nvidia.com/gpu" not in publishes["resources"]["limits"]
    assert {"name": "RECSYS_DEVICE", "value": "cpu"} in publishes["env"]


def test_secrets_come_from_the_cluster_and_are_not_in_the_pod() -> None:
    """By the name of a Secret."""
    (made,) = pod_of(container("publish", "--run", "r"))["spec"]["containers"]
    assert made["envFrom"] == [{"secretRef": {"name": "recsys-store"}}]
    assert PodTask.template_fields == ("command",)


def ended(code: int, message: str = "", reason: str = "Error") -> k8s.V1Pod:
    """A pod whose container has ended."""
    state = k8s.V1ContainerState(
        terminated=k8s.V1ContainerStateTerminated(exit_code=code, message=message, reason=reason)
    )
    status = k8s.V1ContainerStatus(name=CONTAINER, state=state, image="", image_id="", ready=False, restart_count=0)
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="p"),
        status=k8s.V1PodStatus(phase="Failed" if code else "Succeeded", container_statuses=[status]),
    )


@pytest.mark.parametrize(
    ("code", "reason", "kind", "sentence"),
    [
        (10, "Error", FailedForGood, "train ended with exit code 10 (validation failed): 2 found, 3 expected"),
        (2, "Error", FailedForGood, "train ended with exit code 2 (bad input): 2 found, 3 expected"),
        (1, "Error", Failed, "train ended with exit code 1: 2 found, 3 expected"),
        (99, "Error", AirflowSkipException, "2 found, 3 expected"),
        (137, "OOMKilled", Failed, "out of memory: it needed more than its limit of 4Gi"),
    ],
)
def test_an_exit_code_means_what_it_means_everywhere(
    code: int, reason: str, kind: type, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the last line of what the container said; the parent's own clean-up has been done."""
    task, cleaned = container("train", "--run", "r"), []
    assert isinstance(task, PodTask)

    def parents(*_: object) -> None:
        cleaned.append(True)
        raise AirflowException("Pod p returned a failure.")

    monkeypatch.setattr(KubernetesPodOperator, "cleanup", parents)
    ti: Any = TaskInstance()
    with pytest.raises((Failed, AirflowSkipException)) as caught:
        task.cleanup(ended(code), ended(code, "begun\n2 found, 3 expected\n", reason), None, {"ti": ti})
    assert type(caught.value) is kind
    assert sentence in str(caught.value)
    assert cleaned == [True]


def test_a_pod_that_never_ended_is_the_parents_business(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evicted one, say: no exit code tells anything."""
    task = container("train", "--run", "r")
    assert isinstance(task, PodTask)

    def parents(*_: object) -> None:
        raise AirflowException("Pod p was evicted.")

    monkeypatch.setattr(KubernetesPodOperator, "cleanup", parents)
    pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="p"), status=k8s.V1PodStatus(phase="Failed"))
    ti: Any = TaskInstance()
    with pytest.raises(AirflowException, match="was evicted"):
        task.cleanup(pod, pod, None, {"ti": ti})
