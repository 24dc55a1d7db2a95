"""Launcher `kubernetes`: a command of the task package as a pod with minimal rights.

Settings, in the environment of the scheduler: RECSYS_TASK_IMAGE; RECSYS_TASK_NAMESPACE, the namespace of the pods;
RECSYS_TASK_SECRET, the Secret there whose keys are the environment of a task (addresses, passwords);
RECSYS_MEDIA_SECRET, the same for commands that decode media, with fewer rights; RECSYS_TASK_MEMORY and
RECSYS_TASK_CPUS, the limits as Kubernetes writes quantities; RECSYS_TASK_GPUS, the number of GPUs of a task that uses
them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s  # type: ignore[import-untyped]

from recsys.launch.outcome import KILLED, out_of_memory, settle
from recsys.launch.settings import MEDIA_COMMANDS, RUN_URL, memory_limit, require_setting
from recsys.links import run_url
from recsys.made import LINKS

if TYPE_CHECKING:
    from airflow.sdk import Context

CONTAINER = "task"
USER = 10001  # of the image
UNIT = "Gi"  # a gibibyte in a limit of memory
SCRATCH = "/scratch"
STARTING = 1200  # seconds; an image of gigabytes may have to be pulled and a node added first


class PodTask(KubernetesPodOperator):
    """Run `python -m tasks <command>` in a pod. Its exit code means what it means everywhere (outcome.py)."""

    template_fields: Sequence[str] = ("command",)
    operator_extra_links = LINKS

    def __init__(self, *, command: Sequence[str], gpu: bool = False, **kwargs: Any) -> None:  # noqa: ANN401  Airflow's own
        gpus = os.environ.get("RECSYS_TASK_GPUS", "0") if gpu else "0"
        super().__init__(
            name=str(command[0]),
            namespace=os.environ.get("RECSYS_TASK_NAMESPACE") or None,
            image=os.environ.get("RECSYS_TASK_IMAGE", ""),
            base_container_name=CONTAINER,
            container_resources=resources(gpus),
            container_security_context=k8s.V1SecurityContext(
                read_only_root_filesystem=True,
                allow_privilege_escalation=False,
                capabilities=k8s.V1Capabilities(drop=["ALL"]),
            ),
            security_context=k8s.V1PodSecurityContext(
                run_as_non_root=True,
                run_as_user=USER,
                run_as_group=USER,
                fs_group=USER,
                seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
            ),
            volumes=[k8s.V1Volume(name="scratch", empty_dir=k8s.V1EmptyDirVolumeSource())],
            volume_mounts=[k8s.V1VolumeMount(name="scratch", mount_path=SCRATCH)],
            automount_service_account_token=False,  # it does not need the cluster's API
            termination_message_policy="FallbackToLogsOnError",  # so that the error message is in the pod's status
            startup_timeout_seconds=STARTING,
            log_pod_spec_on_failure=False,
            **kwargs,
        )
        self.command = command
        self.gpus = gpus

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> k8s.V1Pod:
        """The pod of one task instance."""
        self.image = require_setting("RECSYS_TASK_IMAGE")
        self.arguments = [str(word) for word in self.command]
        variables = {"RECSYS_DEVICE": "cuda" if int(self.gpus) else "cpu"}
        if context is not None:
            variables[RUN_URL] = run_url(context["ti"].dag_id, context["ti"].run_id)
        self.env_vars = [k8s.V1EnvVar(name=name, value=value) for name, value in variables.items()]
        self.env_from = [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=secret_of(self.arguments[0])))]
        return super().build_pod_request_obj(context, dry_run=dry_run)

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """As its parent, but what the end of the pod means is said by `settle`."""
        ending = find_ending(remote_pod)
        if ending is None or context is None:  # evicted, never started, or killed on purpose: the parent knows
            super().cleanup(pod, remote_pod, xcom_result, context)
            return
        with contextlib.suppress(AirflowException):
            super().cleanup(pod, remote_pod, xcom_result, context)
        words, code = [str(word) for word in self.command], int(ending.exit_code)
        lines = [line for line in (ending.message or "").splitlines() if line.strip()]
        sentence = lines[-1] if lines else ""
        if ending.reason == "OOMKilled":
            code, sentence = KILLED, out_of_memory(memory_limit(UNIT))
        settle(context, words, code, sentence)


def secret_of(command: str) -> str:
    """The name of the Secret whose keys are the environment of a command."""
    if command in MEDIA_COMMANDS:
        return require_setting("RECSYS_MEDIA_SECRET")
    return os.environ.get("RECSYS_TASK_SECRET") or "recsys-tasks"


def find_ending(pod: k8s.V1Pod | None) -> k8s.V1ContainerStateTerminated | None:
    """How the task's container ended, None when that is not known."""
    for status in (pod.status.container_statuses or []) if pod is not None and pod.status is not None else []:
        if status.name == CONTAINER and status.state is not None:
            return status.state.terminated
    return None


def resources(gpus: str) -> k8s.V1ResourceRequirements:
    """Limits, and requests that equal them: a task that takes hours must not be the first to be evicted."""
    limits = {"memory": memory_limit(UNIT), "cpu": os.environ.get("RECSYS_TASK_CPUS") or "2"}
    if int(gpus):
        limits["nvidia.com/gpu"] = gpus
    return k8s.V1ResourceRequirements(limits=limits, requests=dict(limits))
