"""No part of the S3 server reads, writes or deletes for somebody without a key; whoever asks is on this machine."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from minio import Minio
from urllib3 import PoolManager, Timeout, make_headers
from urllib3.exceptions import HTTPError

from local.certificate import write_certificate
from local.ports import GRPC_OFFSET, HOST
from local.s3 import PARTS, S3
from local.service import running
from local.state import State
from tests.waiting import wait_for

pytestmark = pytest.mark.services
WEED = Path(sys.executable).parent / "weed"
SECRET = b"what nobody else reads"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A server with one object in bucket `films`."""
    server = S3(State(tmp_path_factory.mktemp("s3")), bound=True)
    with running(server):
        server.ensure_bucket("films")
        client(server).put_object(bucket_name="films", object_name="a.txt", data=BytesIO(SECRET), length=len(SECRET))
        yield server


def client(server: S3) -> Minio:
    """With the right keys."""
    return server.client(PoolManager(timeout=Timeout(30)))


def content(server: S3) -> bytes:
    """The object, as its owner reads it."""
    answer = client(server).get_object(bucket_name="films", object_name="a.txt")
    return bytes(answer.read())


def listening(pid: int) -> set[int]:
    """TCP ports on which a process listens, by what the kernel says."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
    ]
    return {
        int(line[1].rpartition(":")[2], 16) for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in inodes
    }


def ports(server: S3) -> set[int]:
    """All of them but the S3 API's, which has keys."""
    assert server.identity is not None
    return listening(server.identity.pid) - {server.state.port("s3")}


@pytest.fixture(params=["no certificate", "a certificate of their own"])
def stranger(request: pytest.FixtureRequest, tmp_path: Path) -> PoolManager:
    """Somebody who asks the ports, and does not care who answers."""
    files = {}
    if request.param != "no certificate":
        write_certificate(tmp_path / "own.crt", tmp_path / "own.key", "the S3 server's own parts")
        files = {"cert_file": str(tmp_path / "own.crt"), "key_file": str(tmp_path / "own.key")}
    return PoolManager(
        timeout=Timeout(5), retries=False, cert_reqs="CERT_NONE", assert_hostname=False, headers=make_headers(), **files
    )


def test_it_listens_on_the_ports_that_are_tried_here(server: S3) -> None:
    """Two for each part: a new version that opens another one is seen."""
    assert server.identity is not None
    expected = {
        server.state.port(part if part == "s3" else f"s3:{part}") + more for part in PARTS for more in (0, GRPC_OFFSET)
    }
    pid = server.identity.pid
    wait_for("its ports", lambda: listening(pid) >= expected, explain=lambda: expected - listening(pid), deadline=60)
    assert listening(pid) == expected


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/buckets/films/a.txt"),
        ("GET", "/buckets/films/?limit=10"),
        ("PUT", "/buckets/films/a.txt"),
        ("POST", "/buckets/films/a.txt"),
        ("DELETE", "/buckets/films/a.txt"),
        ("DELETE", "/buckets/films?recursive=true"),
        ("GET", "/dir/assign"),
        ("GET", "/dir/status"),
        ("GET", "/vol/grow?count=1"),
        ("GET", "/col/delete?collection=films"),
        ("GET", "/status"),
        ("GET", "/1,01"),
        ("GET", "/"),
    ],
)
def test_no_port_answers_a_stranger(server: S3, stranger: PoolManager, scheme: str, method: str, path: str) -> None:
    """Neither by HTTP nor by HTTPS, on any port; and what stands there stays."""
    for port in ports(server):
        try:
            answer = stranger.request(
                method, f"{scheme}://{HOST}:{port}{path}", body=b"changed" if method[0] == "P" else None
            )
        except HTTPError:
            continue  # the connection is not accepted
        assert answer.status == 400
        assert b"HTTP request to an HTTPS server" in answer.data
    assert content(server) == SECRET


@pytest.mark.slow
@pytest.mark.parametrize("certificate", [False, True])
def test_its_own_tools_need_the_certificate(server: S3, tmp_path: Path, *, certificate: bool) -> None:
    """They speak gRPC to the filer and the master; with the server's folder as configuration the same command works."""
    configuration = [f"-config_dir={server.folder()}"] if certificate else []
    filer, master = server.state.port("s3:filer"), server.state.port("s3:master")
    try:
        done = subprocess.run(
            [WEED, *configuration, "shell", f"-master={HOST}:{master}", f"-filer={HOST}:{filer}"],
            input=b"fs.cat /buckets/films/a.txt\nexit\n",
            env={"HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            timeout=30 if certificate else 8,
            check=False,
        )
        said = done.stdout
    except subprocess.TimeoutExpired as waits:  # for a master that lets it in
        said = waits.stdout or b""
    assert (SECRET in said) is certificate


def test_the_s3_api_needs_a_key(server: S3) -> None:
    """A request without a signature is refused, whatever it asks for."""
    pool = PoolManager(timeout=Timeout(5), retries=False)
    for method in ("GET", "PUT", "DELETE", "POST"):
        for path in ("/films/a.txt", "/films", "/"):
            assert pool.request(method, f"http://{server.endpoint}{path}", body=b"").status in {400, 403, 405}, (
                method,
                path,
            )
    assert content(server) == SECRET


def test_keys_are_only_in_files_of_their_owner(server: S3) -> None:
    """Nothing secret is in the command line, which everybody can read, and no file with a secret can be read."""
    assert server.identity is not None
    line = Path(f"/proc/{server.identity.pid}/cmdline").read_text(encoding="utf-8")
    assert not [
        value for value in server.environment().values() if len(value) > 10 and value in line and ":" not in value
    ]
    for name in ("server.key", "security.toml"):
        assert stat.S_IMODE((server.folder() / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(server.folder().stat().st_mode) == 0o700
