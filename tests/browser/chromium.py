"""A real Chromium that notices what a page complains about, and keeps pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which
from typing import Self

from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Response, expect, sync_playwright

from ris.config import PROJECT

PICTURES = PROJECT / ".test" / "pictures"
"""Where screenshots go; not in version control."""

PATIENCE = 90_000
"""Milliseconds that an expectation, a click or a page may take on a busy machine."""
expect.set_options(timeout=PATIENCE)

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", event =>
    console.error("policy violation: " + event.violatedDirective + " " + event.blockedURI));
"""


class Person:
    """Somebody at a screen of their own. `complaints` must be empty at the end."""

    def __init__(self, browser: Browser, url: str) -> None:
        """Open an empty window."""
        self.url = url.rstrip("/")
        self.context = browser.new_context(viewport={"width": 1360, "height": 850}, locale="en-GB")
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(WATCH_POLICY)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _on_error(self, error: Error) -> None:
        self.complaints.append(f"{self.page.url}: {error}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def goes_to(self, address: str) -> Self:
        """Open a page of the desk."""
        self.page.goto(self.url + address)
        return self

    def signs_in(self, name: str, password: str) -> Self:
        """Fill in the first page."""
        self.goes_to("/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        with self.page.expect_navigation():  # else the next address would overtake the answer
            self.page.get_by_role("button", name="Sign in").click()
        return self

    def keeps_picture(self, name: str, of: Locator) -> None:
        """Save what is on the screen once `of`, a part of the page that is expected, can be seen.

        A picture that is asked for while the next page is on its way never comes: Chromium waits for a frame of a page
        that is gone.
        """
        expect(of).to_be_visible()
        self.page.wait_for_load_state("load")
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium; where there is none, the one that Playwright brings."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
