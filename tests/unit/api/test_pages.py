"""The web app's files."""

from pathlib import Path

import httpx
import pytest


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Lastmile</title>")
    (folder / "assets" / "app-3f2a.js").write_text("export {}")
    (folder / "icon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.mark.parametrize("path", ["/", "/units/amb-001", "/anything/else", "/apiary"])
async def test_the_app_answers_to_its_own_addresses(stranger: httpx.AsyncClient, web: Path, path: str) -> None:
    answer = await stranger.get(path)
    assert "<title>Lastmile" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


async def test_hashed_assets_are_kept_for_ever(stranger: httpx.AsyncClient, web: Path) -> None:
    answer = await stranger.get("/assets/app-3f2a.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "javascript" in answer.headers["content-type"]
    gone = await stranger.get("/assets/app-old.js")
    assert (gone.status_code, gone.json()["reason"]) == (404, "not-found")


async def test_other_files_are_asked_for_again(stranger: httpx.AsyncClient, web: Path) -> None:
    answer = await stranger.get("/icon.svg")
    assert (answer.text, answer.headers["cache-control"]) == ("<svg/>", "no-cache")


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/link.txt", "//etc/passwd"]
)
async def test_nothing_outside_the_folder(stranger: httpx.AsyncClient, web: Path, path: str) -> None:
    answer = await stranger.get(path)
    assert "secret" not in answer.text
    assert "root:" not in answer.text


async def test_without_a_build_a_sentence_says_what_to_do(stranger: httpx.AsyncClient) -> None:
    for path in ("/", "/units/amb-001"):
        answer = await stranger.get(path)
        assert answer.status_code == 503
        assert "not built" in answer.text
    assert (await stranger.get("/api/v1/about")).status_code == 200
