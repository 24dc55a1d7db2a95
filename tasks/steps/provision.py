"""Sets up the store and the database of an installation; safe to repeat."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from tasks.errors import BadInput, TaskError
from tasks.store import History, flag, metrics_dsn, require_setting
from tasks.store.s3 import S3Store
from tasks.store.users import Users, may_read_releases, may_use

log = logging.getLogger(__name__)


def provision() -> dict[str, object]:
    """Create the bucket, its users and the metrics schema, with root's key; repeating is safe.

    Settings, all from the environment: those of an S3 store, with the tasks' key; RECSYS_S3_ROOT_USER and
    RECSYS_S3_ROOT_PASSWORD; RECSYS_S3_READER_ACCESS_KEY and RECSYS_S3_READER_SECRET_KEY for readers of releases.
    """
    bucket = urlsplit(require_setting("RECSYS_STORE")).netloc
    endpoint, secure = require_setting("RECSYS_S3_ENDPOINT"), flag("RECSYS_S3_SECURE")
    root, password = require_setting("RECSYS_S3_ROOT_USER"), require_setting("RECSYS_S3_ROOT_PASSWORD")
    S3Store(bucket, endpoint=endpoint, access_key=root, secret_key=password, secure=secure)  # which makes the bucket
    tasks = require_setting("RECSYS_S3_ACCESS_KEY")
    made: list[str] = []
    if tasks == root:
        log.warning("the tasks use the key of the object store's root user: no users with fewer rights are created")
    else:
        users = Users(endpoint, root, password, secure=secure)
        reader = require_setting("RECSYS_S3_READER_ACCESS_KEY")
        secret = require_setting("RECSYS_S3_SECRET_KEY")
        users.ensure(tasks, secret, f"{bucket}-tasks", may_use(bucket))
        users.ensure(
            reader, require_setting("RECSYS_S3_READER_SECRET_KEY"), f"{bucket}-reader", may_read_releases(bucket)
        )
        made = [tasks, reader]
        try:
            S3Store(bucket, endpoint=endpoint, access_key=tasks, secret_key=secret, secure=secure)
        except BadInput as error:  # some servers answer 200 to unknown requests
            raise TaskError(
                f"{endpoint} does not know user {tasks} after creating it, expected a server with MinIO's admin "
                "interface; with another, give the tasks the root user's key and no users are created"
            ) from error
    with History(metrics_dsn()) as history:
        applied = history.migrate()
    return {"bucket": bucket, "users": made, "migrations": applied}
