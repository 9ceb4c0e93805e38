"""One Chromium for all browser tests; a scripted gateway and a signed-in page for each."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.feed_routes import PASSWORDS, STATIC
from tests.browser.feed_server import FeedServer, running

DESK = (1366, 768)
Open = Callable[..., Page]
Serve = Callable[[FeedServer], str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The operating system's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    if not (STATIC / "index.html").is_file():
        pytest.fail("the web app is not built: run `make setup`")
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--autoplay-policy=document-user-activation-required"]
        chromium = playwright.chromium.launch(executable_path=program, args=args)
        yield chromium
        chromium.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a scripted gateway; gives its address."""
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(running(world))


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens an address in a context of its own, signed in; errors in the page fail the test."""
    errors: list[str] = []
    with ExitStack() as stack:

        def foreign(address: str, url: str) -> None:
            if not address.startswith((url, url.replace("http", "ws"), "blob:", "data:")):
                errors.append(f"asked another host: {address}")

        def open_it(
            url: str,
            *,
            path: str = "/",
            user: str | None = "demo",
            size: tuple[int, int] = DESK,
            language: str = "zh",
            theme: str = "dark",
        ) -> Page:
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]}, timezone_id="Asia/Shanghai", reduced_motion="reduce"
            )
            stack.callback(context.close)
            remember = f"localStorage['lastmile.language'] ??= '\"{language}\"';"
            context.add_init_script(remember + f"localStorage['lastmile.theme'] ??= '\"{theme}\"';")
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("request", lambda request: foreign(request.url, url))
            page.goto(url + path)
            if user is not None:
                sign_in(page, user)
            return page

        yield open_it
    assert not errors


def sign_in(page: Page, user: str) -> None:
    """Fills the login form and waits for the page behind it."""
    page.locator("[name=username]").fill(user)
    page.locator("[name=password]").fill(PASSWORDS[user])
    page.locator("button[type=submit]").click()
    expect(page.locator(".top")).to_be_visible()
    expect(page.locator("[data-link=live], [data-link=catching-up]")).to_be_visible()


@pytest.fixture
def screens(tmp_path: Path) -> Path:
    """Folder for screenshots: $LASTMILE_SCREENS, so that a person can look at them, or a temporary one."""
    folder = Path(os.environ.get("LASTMILE_SCREENS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
