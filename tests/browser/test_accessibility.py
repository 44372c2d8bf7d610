"""What axe-core finds on the pages that people work at, in German, whose words are the longer ones."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from ris.config import PROJECT
from ris.roles import Role
from tests.browser.chromium import Person, chromium
from tests.browser.hospital import PASSWORD, filled
from tests.department import Department

PAGES = (
    *("/ris/patient/?q=doe", "/ris/patient/add/", "/ris/patient/1/change/", "/ris/patient/1/order/"),
    *("/ris/patient/1/merge/?other=2", "/ris/patient/1/story/", "/ris/order/1/change/", "/ris/order/1/exam/1/"),
    *("/ris/scheduledprocedurestep/", "/ris/scheduledprocedurestep/2/book/", "/ris/scheduledprocedurestep/2/slots/"),
    *("/ris/scheduledprocedurestep/2/waiting-list/", "/ris/scheduledprocedurestep/2/swap/", "/waiting-list/"),
    *("/board/", "/ris/exam/1/change/", "/ris/block/add/", "/worklist/station/?station=CT1", "/ris/user/add/"),
    *("/ris/user/1/password/", "/password_change/"),
    *("/worklist/stationprofile/add/", "/hl7/inboundmessage/", "/hl7/inboundmessage/1/change/", "/not-here/"),
)
AXE = (PROJECT / "tests" / "peers" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
ASK = """;axe.run({resultTypes: ["violations"], preload: false}).then(found => found.violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => one.id + ": " + one.nodes.map(node => node.html.slice(0, 200)).join(" | ")))"""


def complaints(person: Person) -> list[str]:
    """Return what is serious or critical on a page; the script goes past the policy, as a debugger's does."""
    found: list[str] = person.page.evaluate(AXE + ASK)
    if not person.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
        found.append("too wide")
    if person.page.locator("h1").count() != 1:
        found.append("not one heading of the first level")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_nothing_serious_stands_in_anybodys_way(browser: Browser, department: Department) -> None:
    hospital = filled(department)
    found: dict[str, list[str]] = {}
    stranger = Person(browser, hospital.url).goes_to("/login/")
    stranger.page.get_by_role("button", name="Deutsch").click()
    expect(stranger.page.get_by_role("button", name="English")).to_be_visible()
    stranger.page.emulate_media(color_scheme="dark")
    found["sign in"] = complaints(stranger)
    stranger.keeps_picture("sign_in_german", of=stranger.page.get_by_role("heading", level=1))
    stranger.page.emulate_media(color_scheme="light")
    for role in Role:
        stranger.page.get_by_label("Benutzername").fill(role.name.lower())
        stranger.page.get_by_label("Passwort").fill(PASSWORD)
        stranger.page.get_by_role("button", name="Anmelden").click()
        out = stranger.page.get_by_role("button", name="Abmelden")
        stranger.keeps_picture(f"first_page_{role.name.lower()}", of=out)
        found[role] = complaints(stranger)
        out.click()
        stranger.page.get_by_role("link", name="Anmelden").click()
    stranger.page.get_by_label("Benutzername").fill("admin")
    stranger.page.get_by_label("Passwort").fill(hospital.admin_password)
    stranger.page.get_by_role("button", name="Anmelden").click()
    expect(stranger.page.get_by_role("button", name="Abmelden")).to_be_visible()
    for address in PAGES:
        found[address] = complaints(stranger.goes_to(address))
    stranger.context.close()
    assert {place: faults for place, faults in found.items() if faults} == {}
    assert [one for one in stranger.complaints if "/not-here/" not in one] == []
