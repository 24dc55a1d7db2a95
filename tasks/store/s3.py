"""A store in an S3 bucket, with the minio SDK; uses only features that MinIO and its successors support."""

from __future__ import annotations

import io
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import MinioException, S3Error

from tasks.errors import BadInput, NotFound, TaskError, one_line
from tasks.store.base import CHUNK, ObjectInfo, require_key, require_size
from tasks.store.settings import flag, require_setting

log = logging.getLogger(__name__)
T = TypeVar("T")
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
ABSENT = {"NoSuchKey", "NoSuchObject", "NoSuchBucket", "NoSuchUpload", "ResourceNotFound"}
UPLOAD = "?uploadId="  # between key and id in the name of an upload in parts
UNSUPPORTED = {"NotImplemented", "MethodNotAllowed"}
REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
MADE_MEANWHILE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
# Seconds to wait on the socket. urllib3 uses the *connect* timeout while it sends a body, so it must be long too.
PATIENCE = 120.0
RETRIES = urllib3.Retry(total=4, connect=2, backoff_factor=0.3, status_forcelist=[500, 502, 503, 504])


def open_bucket(bucket: str, *, create: bool = True) -> S3Store:
    """Open a bucket of the server that RECSYS_S3_* name."""
    return S3Store(
        bucket,
        endpoint=require_setting("RECSYS_S3_ENDPOINT"),
        access_key=require_setting("RECSYS_S3_ACCESS_KEY"),
        secret_key=require_setting("RECSYS_S3_SECRET_KEY"),
        secure=flag("RECSYS_S3_SECURE"),
        create=create,
    )


class S3Store:
    """Objects in one bucket, which with `create` is created if it does not exist."""

    def __init__(
        self, bucket: str, *, endpoint: str, access_key: str, secret_key: str, secure: bool, create: bool = True
    ) -> None:
        if not re.fullmatch(BUCKET, bucket):
            raise BadInput(f"bucket {bucket!r} found, expected 3 to 63 of a-z, 0-9, dots and hyphens, as S3 allows")
        self.bucket = bucket
        self.url = f"s3://{bucket}"
        self._endpoint = endpoint
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=PATIENCE, read=PATIENCE), retries=RETRIES, maxsize=16
        )
        try:
            self._client = Minio(
                endpoint,
                access_key=access_key,
                secret_key=secret_key,
                secure=secure,
                region="us-east-1",  # given, so that the client does not request it
                http_client=self._http,
            )
        except ValueError as error:
            raise BadInput(f"RECSYS_S3_ENDPOINT is {endpoint!r}, expected host:port: {error}") from error
        if create:
            self._do(self._make_bucket)

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        require_key(key)
        self._do(lambda: self._client.put_object(self.bucket, key, io.BytesIO(data), len(data)), key)

    def put_file(self, key: str, path: Path) -> None:
        """Write the file's content under `key`, in parts when it is large."""
        require_key(key)
        self._do(lambda: self._client.fput_object(self.bucket, key, str(path)), key)

    def replace(self, key: str, old: bytes, new: bytes) -> bool:
        """Write `new` under `key` if its bytes are still `old`, by a conditional write (`If-Match`).

        Raises TaskError for a server that ignores conditions: there, of two calls at once one would be lost.
        """
        etag = self.stat(key).etag  # before the bytes: if these are newer, the condition is not met
        if self.get(key) != old:
            return False
        if self._put_if(key, old, "0" * len(etag)):
            raise TaskError(
                f"{self._endpoint} ignores the condition of a write (If-Match), expected an S3 server that checks it, "
                "such as MinIO, SeaweedFS or AWS"
            )
        # a request that was repeated after a lost answer meets its own write
        return self._put_if(key, new, etag) or self.get(key) == new

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """Bytes of `key`."""
        require_size(self.stat(key), limit)
        return self._do(lambda: self._read(key), key)

    def get_file(self, key: str, path: Path) -> None:
        """Write the bytes of `key` to `path`."""
        self._do(lambda: self._read_to(require_key(key), path), key)

    def stat(self, key: str) -> ObjectInfo:
        """Size and etag of `key`."""
        require_key(key)
        status: Any = self._do(lambda: self._client.stat_object(self.bucket, key), key)
        return ObjectInfo(key=key, size=int(status.size), etag=str(status.etag), modified=status.last_modified)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects whose key starts with `prefix`."""
        listing = self._do(lambda: list(self._client.list_objects(self.bucket, prefix=prefix, recursive=True)))
        infos = (
            ObjectInfo(key=str(o.object_name), size=int(o.size or 0), etag=str(o.etag), modified=o.last_modified)
            for o in listing
            if not o.is_dir and not str(o.object_name).endswith("/")
        )
        return iter(sorted(infos, key=lambda info: info.key))

    def copy(self, source: str, target: str) -> None:
        """Copy an object on the server."""
        require_key(source)
        require_key(target)
        self._do(lambda: self._client.copy_object(self.bucket, target, CopySource(self.bucket, source)), source)

    def move(self, source: str, target: str) -> None:
        """Copy an object on the server and remove the first."""
        self.copy(source, target)
        self.delete(source)

    def delete(self, key: str) -> None:
        """Remove `key`."""
        require_key(key)
        self._do(lambda: self._client.remove_object(self.bucket, key), key)

    def list_unfinished(self) -> Iterator[str]:
        """List uploads in parts that were not completed, as far as the server does: MinIO removes them itself."""
        markers: dict[str, str] = {}
        while True:
            # the SDK has the calls, for its own use
            page: Any = self._do(lambda: self._client._list_multipart_uploads(self.bucket, **markers))  # noqa: B023
            yield from (f"{upload.object_name}{UPLOAD}{upload.upload_id}" for upload in page.uploads)
            if not page.is_truncated:
                return
            markers = {"key_marker": page.next_key_marker, "upload_id_marker": page.next_upload_id_marker}

    def drop_unfinished(self, name: str) -> None:
        """Abort an upload; its parts are removed."""
        key, _, upload = name.rpartition(UPLOAD)
        with suppress(NotFound):
            self._do(lambda: self._client._abort_multipart_upload(self.bucket, key, upload), key)

    def _put_if(self, key: str, data: bytes, etag: str) -> bool:
        """Write `data` if the etag of `key` is `etag`. The SDK has no such call, but signs addresses for others."""

        def put() -> bool:
            url = self._client.get_presigned_url("PUT", self.bucket, key, expires=timedelta(seconds=PATIENCE))
            answer = self._http.request("PUT", url, body=data, headers={"If-Match": f'"{etag}"'})
            if answer.status not in {200, 412}:
                raise TaskError(f"{self._endpoint} answered {answer.status} for {self.url}/{key}, expected 200 or 412")
            return answer.status == 200

        return self._do(put, key)

    def _make_bucket(self) -> None:
        try:
            if not self._client.bucket_exists(self.bucket):
                self._client.make_bucket(self.bucket)
        except S3Error as error:
            if error.code not in MADE_MEANWHILE:  # another task may have created it
                raise

    def _read(self, key: str) -> bytes:
        response = self._client.get_object(self.bucket, key)
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    def _read_to(self, key: str, path: Path) -> None:
        """Download to a temporary file, so that a partial download never has the final name."""
        response = self._client.get_object(self.bucket, key)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in response.stream(CHUNK):
                    file.write(chunk)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        finally:
            response.close()
            response.release_conn()

    def _do(self, call: Callable[[], T], key: str = "") -> T:
        """Run a call of the SDK; its errors become sentences that name the server and never a secret."""
        place = f"{self.url}/{key}" if key else self.url
        try:
            return call()
        except S3Error as error:
            if error.code in ABSENT:
                raise NotFound(f"{key} is not in {self.url}, expected an object of that name") from error
            if error.code in REFUSED:
                raise BadInput(
                    f"{self._endpoint} refused access to {place} ({error.code}), expected valid "
                    "RECSYS_S3_ACCESS_KEY and RECSYS_S3_SECRET_KEY with the right to it"
                ) from error
            raise TaskError(f"{self._endpoint} answered {error.code} for {place}: {error.message}") from error
        except (MinioException, ElementTree.ParseError) as error:
            raise TaskError(
                f"{self._endpoint} answered {place} with something that is not S3 ({type(error).__name__}), "
                "expected an S3 server at RECSYS_S3_ENDPOINT"
            ) from error
        except urllib3.exceptions.MaxRetryError as error:
            if isinstance(error.reason, urllib3.exceptions.ResponseError):  # answers, each with a status of RETRIES
                raise TaskError(
                    f"{self._endpoint} answered every try for {place} with an error ({one_line(error.reason)}), "
                    "expected success: its disk may be full, or it is starting; its own log says which"
                ) from error
            raise self._silent(place, error) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._silent(place, error) from error

    def _silent(self, place: str, error: Exception) -> TaskError:
        return TaskError(
            f"{self._endpoint} does not answer for {place} ({type(error).__name__}), "
            "expected an S3 server at RECSYS_S3_ENDPOINT"
        )
