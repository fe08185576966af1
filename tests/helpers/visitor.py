"""Somebody who opens a page in headless Chromium, and counts what it asks."""

import contextlib
from urllib.parse import urlsplit

from browser import find_browser


@contextlib.contextmanager
def visiting(address):
    """A page of Playwright's, and the hosts that it has asked so far."""
    from playwright.sync_api import sync_playwright

    hosts = set()

    def note(url):
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data"):
            hosts.add(parts.hostname)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        page.set_default_timeout(60_000)
        page.on("request", lambda request: note(request.url))
        page.on("websocket", lambda socket: note(socket.url))
        page.goto(address)
        yield page, hosts
        browser.close()
