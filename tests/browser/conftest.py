"""Tests that open pages in a Chromium that is installed, and run the notebooks of docs/.

``nox -s tests-browser`` finds it and sets ``CHROMIUM``. Without that, nothing in this folder is collected.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM")
collect_ignore_glob = [] if CHROMIUM else ["*"]

# It asks nobody for anything on its own account.
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser) -> Iterator[Callable[..., Any]]:
    """Open a file; afterwards nothing went wrong in it, and it asked for no other."""
    pages, files, faults, requests = [], [], [], []

    def opened(path: Path, **options: Any) -> Any:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **options})
        page.set_default_timeout(30_000)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        files.append(path.as_uri())
        return page

    yield opened
    for page in pages:
        page.close()
    assert faults == []
    assert requests == files


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Where the pictures go that somebody may look at afterwards."""
    folder = Path(os.environ.get("TENSORGRAD_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
