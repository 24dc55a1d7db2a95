"""Manages the users of an S3 server through MinIO's admin interface, each with only the rights that it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import urllib3
from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException

from tasks.errors import TaskError, one_line
from tasks.store.layout import MEDIA_WRITES, RELEASES
from tasks.store.s3 import PATIENCE

READ_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


class Users:
    """The users of one server, managed by its root user."""

    def __init__(self, endpoint: str, root_user: str, root_password: str, *, secure: bool) -> None:
        self._endpoint = endpoint
        timeout = urllib3.Timeout(connect=PATIENCE, read=PATIENCE)
        self._admin = MinioAdmin(
            endpoint=endpoint,
            credentials=StaticProvider(root_user, root_password),
            region="us-east-1",
            secure=secure,
            http_client=urllib3.PoolManager(timeout=timeout, retries=urllib3.Retry(total=4, backoff_factor=0.3)),
        )

    def ensure(self, access_key: str, secret_key: str, policy: str, document: dict[str, object]) -> None:
        """Create the user, or set its secret and policy; nothing else is changed.

        Raises TaskError if the server refuses or has no admin interface.
        """
        try:
            self._admin.policy_add(policy, policy=document)
            self._admin.user_add(access_key, secret_key)
            self._admin.policy_set(policy, user=access_key)
        except (MinioAdminException, ValueError) as error:  # ValueError: the answer of another interface
            raise TaskError(
                f"{self._endpoint} did not make user {access_key} ({reason(error)}), expected a server with MinIO's "
                "admin interface; with another, give the tasks the root user's key and no users are created"
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise TaskError(
                f"{self._endpoint} does not answer ({type(error).__name__}), expected an S3 server"
            ) from error


def reason(error: Exception) -> str:
    """Return the server's message, shortened."""
    body = getattr(error, "_body", "") or str(error)
    try:
        return str(json.loads(body)["Message"])
    except (ValueError, KeyError, TypeError):
        return one_line(error)


def may_use(bucket: str) -> dict[str, object]:
    """Return the tasks' policy: access to all objects of one bucket only; the bucket cannot be created or removed."""
    return _policy(bucket, {"*": READ + WRITE})


def may_decode_media(bucket: str) -> dict[str, object]:
    """Return the policy of commands that decode media: reads all objects, writes what such commands make."""
    return _policy(bucket, {"*": READ} | dict.fromkeys(MEDIA_WRITES, WRITE))


def may_read_releases(bucket: str) -> dict[str, object]:
    """Return the consumers' policy: read access to releases only."""
    return _policy(bucket, {f"{RELEASES}/*": READ})


def _policy(bucket: str, objects: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    """`objects`: pattern of keys -> actions."""
    resources = {f"arn:aws:s3:::{bucket}/{pattern}": actions for pattern, actions in objects.items()}
    statements = [(f"arn:aws:s3:::{bucket}", READ_BUCKET), *resources.items()]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(allowed), "Resource": [resource]} for resource, allowed in statements
        ],
    }
