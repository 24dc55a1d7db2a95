"""The proxy before the engine's socket, which gives root on the host to whoever can write to it.

It lets the scheduler run containers of the task image, under this installation's name, on its network, with the rights
that plugins/recsys/launch/docker.py gives them, watch and remove those alone, and refuses all else with status 403. One
request per connection; what the engine gets is written here (rules.py), so no trick in the text of a request reaches
it. The answer is passed on as it comes, for hours if need be: the log of a task and its end are one answer each.

Settings, from the environment: TASK_IMAGE, TASK_NETWORK, TASK_MEMORY, TASK_CPUS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys

from container import Limits, Refused
from rules import LONGEST_BODY, Request, permit

log = logging.getLogger("engine-proxy")
SOCKET = os.environ.get("ENGINE_SOCKET", "/var/run/docker.sock")
HOST = os.environ.get("LISTEN_HOST", "0.0.0.0")  # noqa: S104  in a container, on a network of two
PORT = int(os.environ.get("LISTEN_PORT", "2375"))
SECONDS = 10  # until a request must have come
LONGEST_HEAD = 16_384  # bytes
CHUNK = 65_536
FIRST_LINE = re.compile(r"([A-Z]{3,8}) ([!-~]+) HTTP/1\.[01]")
HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([ -~\t]*)")


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request; Refused for one whose length is not plain, since what follows could be a second one."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    match = FIRST_LINE.fullmatch(first)
    fields = [field for field in map(HEADER.fullmatch, lines) if field]
    if match is None or len(fields) < len(lines):
        raise Refused("it cannot be read")
    headers = [(field[1].lower(), field[2].strip(" \t")) for field in fields]
    lengths = [value for name, value in headers if name == "content-length"] or ["0"]
    if len(lengths) > 1 or any(name in {"transfer-encoding", "expect"} for name, _ in headers):
        raise Refused("its body is in pieces, or has two lengths")
    if not re.fullmatch("[0-9]{1,9}", lengths[0]) or int(lengths[0]) > LONGEST_BODY:
        raise Refused(f"its body has {lengths[0]} bytes, expected at most {LONGEST_BODY}")
    body = await reader.readexactly(int(lengths[0]))
    return Request(match[1], match[2], body, ("upgrade", "tcp") in headers)


async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy what comes until it ends."""
    while chunk := await source.read(CHUNK):
        target.write(chunk)
        await target.drain()


async def wait_until_gone(client: asyncio.StreamReader) -> None:
    """Return when the client has closed its side; what it still sends goes nowhere."""
    while await client.read(CHUNK):
        pass


async def exchange(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a request to the engine and its answer to the client, until either has closed the connection."""
    answer, engine = await asyncio.open_unix_connection(SOCKET)
    try:
        engine.write(request)
        await engine.drain()
        ends = [asyncio.create_task(pass_on(answer, writer)), asyncio.create_task(wait_until_gone(reader))]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
    finally:
        engine.close()


def say(status: str, message: str) -> bytes:
    """Return an answer of our own, in the engine's form."""
    body = json.dumps({"message": message}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


async def answer(limits: Limits, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the request of one connection."""
    request = None
    try:
        request = await asyncio.wait_for(read_request(reader), SECONDS)
        await exchange(permit(request, limits), reader, writer)
    except Refused as reason:
        what = f"{request.method} {request.target[:200]}" if request else "a request"
        log.warning("%s: refused %s: %s", writer.get_extra_info("peername")[0], what, reason)
        expected = "refused by the engine proxy, expected a request that running a task needs (docker/engine-proxy)"
        writer.write(say("403 Forbidden", f"{expected}: {reason}"))
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError):
        writer.write(
            say("400 Bad Request", f"expected a request within {SECONDS} s and {LONGEST_HEAD} bytes of headers")
        )
    except OSError as error:
        log.error("%s does not answer: %s", SOCKET, error)  # noqa: TRY400  a stack trace would say no more
        writer.write(say("502 Bad Gateway", f"the engine's socket does not answer: {error.strerror}"))


async def serve(limits: Limits, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection and close it."""
    with contextlib.suppress(ConnectionError):  # the client has gone
        try:
            await answer(limits, reader, writer)
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


async def main() -> None:
    """Listen until the process is ended."""
    limits = Limits.read(os.environ)
    server = await asyncio.start_server(lambda *streams: serve(limits, *streams), HOST, PORT, limit=LONGEST_HEAD)
    log.info("listening on port %d for containers of %s", server.sockets[0].getsockname()[1], limits.image)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    asyncio.run(main())
