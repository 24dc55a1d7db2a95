"""Sets up the store and the database of an installation; safe to repeat."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from tasks.errors import BadInput, TaskError
from tasks.store import History, flag, metrics_dsn, require_setting
from tasks.store.s3 import S3Store
from tasks.store.users import Users, may_decode_media, may_read_releases, may_use

log = logging.getLogger(__name__)
POLICIES = {"tasks": may_use, "media": may_decode_media, "reader": may_read_releases}  # of each user
SETTINGS = {  # with the name and the secret of each
    "tasks": ("RECSYS_S3_ACCESS_KEY", "RECSYS_S3_SECRET_KEY"),
    "media": ("RECSYS_S3_MEDIA_ACCESS_KEY", "RECSYS_S3_MEDIA_SECRET_KEY"),
    "reader": ("RECSYS_S3_READER_ACCESS_KEY", "RECSYS_S3_READER_SECRET_KEY"),
}


def provision() -> dict[str, object]:
    """Create the bucket, its users and the metrics schema, with root's key; repeating is safe.

    Settings, all from the environment: those of an S3 store, with the tasks' key; RECSYS_S3_ROOT_USER and
    RECSYS_S3_ROOT_PASSWORD; RECSYS_S3_MEDIA_ACCESS_KEY and RECSYS_S3_MEDIA_SECRET_KEY for commands that decode media;
    RECSYS_S3_READER_ACCESS_KEY and RECSYS_S3_READER_SECRET_KEY for readers of releases.
    """
    bucket = urlsplit(require_setting("RECSYS_STORE")).netloc
    endpoint, secure = require_setting("RECSYS_S3_ENDPOINT"), flag("RECSYS_S3_SECURE")
    root, password = require_setting("RECSYS_S3_ROOT_USER"), require_setting("RECSYS_S3_ROOT_PASSWORD")
    S3Store(bucket, endpoint=endpoint, access_key=root, secret_key=password, secure=secure)  # which makes the bucket
    made: list[str] = []
    if _read_key("tasks")[0] == root:
        log.warning(
            "the tasks use the key of the object store's root user: no users with fewer rights are created, neither "
            "for readers nor for commands that decode media"
        )
    else:
        made = _make_users(Users(endpoint, root, password, secure=secure), bucket)
    for user in ("tasks", "media"):
        _check_key(user, bucket, endpoint, secure=secure)
    with History(metrics_dsn()) as history:
        applied = history.migrate()
    return {"bucket": bucket, "users": made, "migrations": applied}


def _make_users(users: Users, bucket: str) -> list[str]:
    """Create the three users; each has its own key, or one would get the rights of another."""
    keys = {user: _read_key(user) for user in POLICIES}
    names = [name for name, _ in keys.values()]
    for user, (name, secret) in keys.items():
        if names.count(name) > 1:
            raise BadInput(f"{SETTINGS[user][0]} is {name}, as that of another user is, expected a name of its own")
        users.ensure(name, secret, f"{bucket}-{user}", POLICIES[user](bucket))
    return names


def _read_key(user: str) -> tuple[str, str]:
    name, secret = SETTINGS[user]
    return require_setting(name), require_setting(secret)


def _check_key(user: str, bucket: str, endpoint: str, *, secure: bool) -> None:
    """Raise TaskError if the server does not know a user: some answer 200 to unknown requests."""
    name, secret = _read_key(user)
    try:
        S3Store(bucket, endpoint=endpoint, access_key=name, secret_key=secret, secure=secure)
    except BadInput as error:
        raise TaskError(
            f"{endpoint} does not know user {name} ({SETTINGS[user][0]}), expected a server with MinIO's admin "
            "interface, on which it is created; with another, give the tasks the root user's key and no users are "
            f"created, and {SETTINGS['media'][0]} the key of a user that you made there, or root's too"
        ) from error
