"""Make a fresh installation's store and database ready, and keep them so."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from tasks.errors import BadInput, TaskError
from tasks.store import History, flag, metrics_dsn, require_setting
from tasks.store.s3 import S3Store
from tasks.store.users import Users, may_read_releases, may_use

log = logging.getLogger(__name__)


def provision() -> dict[str, object]:
    """Make the bucket, the users that may use it, and the metrics schema; with root's key, and repeating is safe.

    Settings, all from the environment: those of a store in S3, whose key is that of the tasks; RECSYS_S3_ROOT_USER and
    RECSYS_S3_ROOT_PASSWORD; RECSYS_S3_READER_ACCESS_KEY and RECSYS_S3_READER_SECRET_KEY for who reads releases.
    """
    bucket = urlsplit(require_setting("RECSYS_STORE")).netloc
    endpoint, secure = require_setting("RECSYS_S3_ENDPOINT"), flag("RECSYS_S3_SECURE")
    root, password = require_setting("RECSYS_S3_ROOT_USER"), require_setting("RECSYS_S3_ROOT_PASSWORD")
    S3Store(bucket, endpoint=endpoint, access_key=root, secret_key=password, secure=secure)  # which makes the bucket
    tasks = require_setting("RECSYS_S3_ACCESS_KEY")
    made: list[str] = []
    if tasks == root:
        log.warning("the tasks use the key of the object store's root user: no users of less rights are made")
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
        except BadInput as error:  # some servers answer 200 to what they do not know
            raise TaskError(
                f"{endpoint} was told to make user {tasks} and does not know it, expected a server with MinIO's admin "
                "interface; with another, give the tasks the root user's key and no users are made"
            ) from error
    with History(metrics_dsn()) as history:
        applied = history.migrate()
    return {"bucket": bucket, "users": made, "migrations": applied}
