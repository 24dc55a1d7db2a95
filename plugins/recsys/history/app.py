"""The application: every address, also of files and of its OpenAPI description, needs a login of Airflow.

Without one a program gets 401, and a person 401 with the way to the login. Nothing is written here: a rollback is a run
of the DAG `roll_back`, which the browser starts at Airflow's own API with the rights of the user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException as Refusal

from recsys.history.access import may_read
from recsys.history.routes import ROUTERS

HERE = Path(__file__).parent
STATIC, LIBRARY = HERE / "static", HERE / "library"  # ours, and what `npm ci` brought
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PAGES = ("", "metrics", "runs", "run", "validation", "releases", "arrivals", "alerts", "comparisons")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
LOGIN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in</title>
<p>These pages need a login of Airflow: <a href="../">log in</a>, then open the link again.</p></html>"""


@cache
def application() -> FastAPI:
    """Return the application, which is built once."""
    app = FastAPI(
        title="AudioCLIP4Rec history",
        description="What was trained, validated and served. The same questions in SQL: docs/history.md.",
        dependencies=[Depends(may_read)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.middleware("http")(add_headers)
    app.exception_handler(Refusal)(refuse)
    for router in ROUTERS:
        app.include_router(router, prefix="/api")
    app.include_router(pages(app))
    return app


def pages(app: FastAPI) -> APIRouter:
    """Return the routes of the pages, of their files, and of the description of the API."""
    router = APIRouter(include_in_schema=False)

    def page() -> FileResponse:
        return FileResponse(STATIC / "page.html", media_type="text/html")

    for name in PAGES:
        router.add_api_route(f"/{name}", page, methods=["GET"])

    @router.get("/openapi.json")
    def description() -> dict[str, Any]:
        return app.openapi()

    @router.get("/static/{name}")
    def static(name: str) -> FileResponse:
        return send_file(STATIC, name)

    @router.get("/library/{name}")
    def library(name: str) -> FileResponse:
        return send_file(LIBRARY, name)

    return router


def send_file(folder: Path, name: str) -> FileResponse:
    """Send a file that lies in a folder itself; 404 for anything else."""
    path = folder / name
    if path.suffix not in KINDS or path.parent != folder or not path.is_file():
        raise HTTPException(404, f"no file {name!r}, expected one of these pages")
    return FileResponse(path, media_type=KINDS[path.suffix])


async def add_headers(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    """Forbid whatever is not of this server, also to be framed by others."""
    response = await call(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def refuse(request: Request, error: Exception) -> Response:
    """Say why; to a person without a login, where that is."""
    assert isinstance(error, Refusal)  # noqa: S101  what it is registered for
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(LOGIN, 401)
    return JSONResponse({"detail": error.detail}, error.status_code)
