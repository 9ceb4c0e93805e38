"""The web app: built files, and ``index.html`` for every address the app itself understands."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS = "assets/"  # names with a hash of the content
_NOT_PAGES = ("/api/", "/healthz", "/readyz", "/metrics")
NOT_BUILT = (
    "The web app is not built. Run `make setup` (or `npm run build` in dashboards/live) and load this page again; "
    "the API under /api/v1 works meanwhile."
)


class WebApp(StaticFiles):
    """Serves the folder the web app was built to; a folder that is missing gets a sentence."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False, follow_symlink=False)
        self._index = directory / "index.html"

    async def check_config(self) -> None:
        """Nothing to check: a folder that is missing now may be built later."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, the app's start page, or why there is none."""
        if not self._index.is_file():
            return PlainTextResponse(NOT_BUILT, 503)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.startswith(ASSETS):
                raise
            response = await super().get_response("index.html", scope)
        fixed = path.startswith(ASSETS)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if fixed else "no-cache"
        return response


class Pages(Mount):
    """Everything that is neither API nor a root endpoint, so that those keep their own 404 and 405."""

    def __init__(self, directory: Path) -> None:
        super().__init__("/", app=WebApp(directory), name="web-app")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leaves the API's addresses, and WebSockets, alone."""
        path = scope["path"]
        if scope["type"] != "http" or path == "/api" or path.startswith(_NOT_PAGES):
            return Match.NONE, {}
        return super().matches(scope)
