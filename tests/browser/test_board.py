"""The day board in Chromium: dragged and carried by keys, told before it is dropped, live, on the scanner's list."""

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, CDPSession, Locator, ViewportSize, expect
from pydicom.uid import generate_uid

from tests.browser.chromium import Person, chromium
from tests.browser.test_desk import FIND_FAINT, FIND_NAMELESS
from tests.department import Department
from tests.journeys.test_main_road import findscu
from worklist import scanner
from worklist.negotiation import PERFORMED_STEP
from worklist.scu import Called, calling

PASSWORD = "correct horse battery"
ZONE = ZoneInfo("Europe/Berlin")
TALL: ViewportSize = {"width": 1360, "height": 1700}
"""A window in which the whole day can be seen."""
PREPARE = """
from django.contrib.auth.models import Group
from ris.models import Resource, User
from ris.roles import Role
from tests import factories
for role in (Role.SCHEDULER, Role.FRONT_DESK):
    account = User.objects.create_user(role.name.lower(), password="correct horse battery")
    account.groups.add(Group.objects.get(name=role.value))
for name in ("CT1", "CT2", "MR1"):
    factories.station(name)
factories.hours("07:00", "20:00", site=factories.site(), rule="FREQ=DAILY")
ct2 = Resource.objects.get(station__ae_title="CT2")
factories.block("13:00", "14:00", resource=ct2, kind="EMERGENCIES", reason="Stroke unit")
def step(name, hour, minute=0, **values):
    return factories.step(patient=factories.patient(name), start=factories.today_at(hour, minute), **values)
for name, hour in (("Miller^Mia", 10), ("Adams^Ada", 11), ("Bauer^Ben", 12)):
    step(name, hour)
ct2 = factories.station("CT2")
step("Clark^Cleo", 11, station=ct2)
step("Davis^Dora", 9, state="ARRIVED", exam=factories.exam("MRHEAD"))
factories.step("REQUESTED", patient=factories.patient("Evans^Eve"))
print("ready")
"""


@pytest.fixture(scope="module")
def hospital(department: Department) -> Department:
    """A department with three stations and a day on them."""
    prepared = department.manage("shell", "--verbosity", "0", "-c", PREPARE)
    assert prepared.returncode == 0, prepared.stderr
    for name in ("Miller", "Adams", "Bauer", "Clark", "Davis", "Evans"):
        department.private(name)
    return department


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def scheduler(browser: Browser, hospital: Department) -> Iterator[Person]:
    person = Person(browser, hospital.url).signs_in("scheduler", PASSWORD)
    yield person
    person.context.close()


@pytest.fixture
def clerk(browser: Browser, hospital: Department) -> Iterator[Person]:
    person = Person(browser, hospital.url).signs_in("front_desk", PASSWORD)
    yield person
    person.context.close()


def column(person: Person, station: str) -> Locator:
    return person.page.get_by_role("region", name=re.compile(f"^{station} "))


def block(person: Person, name: str, station: str = "") -> Locator:
    """The block of a patient, in the column of a station or anywhere."""
    return (column(person, station) if station else person.page).get_by_role("listitem").filter(has_text=name)


def ghost(person: Person) -> Locator:
    """What is held."""
    return person.page.locator(".board-ghost")


def drag(person: Person, name: str, *, to: str, minute: int, by: str = "top") -> None:
    """Press a block at its upper edge, or its lower one, and hold it at a minute of the day in a column."""
    source = block(person, name)
    source.hover(position={"x": 60, "y": 4})
    box, target = source.bounding_box(), column(person, to).get_by_role("list")
    area = target.bounding_box()
    assert box
    assert area
    first, minutes = (int(target.get_attribute(f"data-{what}") or 0) for what in ("first", "minutes"))
    mouse, height = person.page.mouse, area["y"] + area["height"] * (minute - first) / minutes
    if by == "top":
        mouse.move(box["x"] + 60, box["y"] + 4)
        height += 4
    else:
        mouse.move(box["x"] + 60, box["y"] + box["height"] - 3)
    mouse.down()
    mouse.move(area["x"] + 60, height + 30)
    mouse.move(area["x"] + 60, height, steps=3)


def signs_in_again(person: Person) -> None:
    """Sign in in another window of the same browser."""
    other = person.context.new_page()
    other.goto(person.url)
    other.get_by_label("Username").fill("scheduler")
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    other.close()


def times_on(hospital: Department, station: str) -> list[str]:
    """Who is on the list of a scanner, and when."""
    return sorted(f"{one['time'][:4]} {one['name']}" for one in findscu(hospital, station, datetime.now(ZONE).date()))


def test_a_block_is_dragged_and_told_what_is_in_its_way(scheduler: Person, hospital: Department) -> None:
    page, dialog = scheduler.page, scheduler.page.get_by_role("dialog")
    page.get_by_role("link", name="Day board").click()
    scheduler.keeps_picture("board", of=block(scheduler, "Miller", "CT1"))
    page.set_viewport_size(TALL)

    drag(scheduler, "Miller", to="CT2", minute=11 * 60)
    expect(ghost(scheduler)).to_contain_text("CT2 is taken until 11:20")
    scheduler.keeps_picture("board_conflict", of=ghost(scheduler))
    page.mouse.up()
    expect(dialog.get_by_text("CT2 is taken until 11:20")).to_be_visible()
    page.keyboard.press("Enter")  # a place that is taken asks why
    expect(dialog.get_by_text("Please say why.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(block(scheduler, "Miller", "CT1")).to_contain_text("10:00")

    drag(scheduler, "Miller", to="CT2", minute=14 * 60 + 30)
    expect(ghost(scheduler)).to_contain_text("14:30–14:50: free")
    scheduler.keeps_picture("board_free", of=ghost(scheduler))
    page.mouse.up()
    dialog.get_by_label("Why").fill("Patient asked for it")
    scheduler.keeps_picture("board_drop", of=dialog)
    dialog.get_by_role("button", name="Move").click()
    expect(block(scheduler, "Miller", "CT2")).to_contain_text("14:30")
    assert "1430 Miller^Mia" in times_on(hospital, "CT2")
    assert not any("Miller" in one for one in times_on(hospital, "CT1"))

    drag(scheduler, "Evans", to="MR1", minute=8 * 60)
    expect(ghost(scheduler)).to_contain_text("MR1 does MR, the step needs CT.")
    page.mouse.up()
    dialog.get_by_role("button", name="Leave it where it was").click()
    drag(scheduler, "Evans", to="CT1", minute=8 * 60)
    expect(ghost(scheduler)).to_contain_text("08:00–08:20: free")
    page.mouse.up()
    dialog.get_by_role("button", name="Move").click()
    expect(block(scheduler, "Evans", "CT1")).to_contain_text("08:00")

    drag(scheduler, "Bauer", to="CT1", minute=12 * 60 + 45, by="bottom")
    expect(ghost(scheduler)).to_contain_text("12:00–12:45: free")
    page.mouse.up()
    dialog.get_by_label("Why").fill("Two phases")
    scheduler.context.clear_cookies(name="sessionid")
    dialog.get_by_role("button", name="Move").click()
    expect(page.get_by_text("You were signed out.")).to_be_visible()
    signs_in_again(scheduler)
    expect(dialog.get_by_label("Why")).to_have_value("Two phases")
    dialog.get_by_role("button", name="Move").click()
    expect(block(scheduler, "Bauer", "CT1")).to_contain_text("45 min")
    assert scheduler.complaints == []


def finger(devtools: CDPSession, kind: str, x: float = 0, y: float = 0) -> None:
    """Put a finger on the screen, move it or lift it."""
    points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
    devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_finger_that_rests_carries_a_block(scheduler: Person) -> None:
    page = scheduler.page
    touch = scheduler.context.new_cdp_session(page)
    page.set_viewport_size(TALL)
    scheduler.goes_to("/board/?modality=CT")
    box, area = block(scheduler, "Adams").bounding_box(), column(scheduler, "CT2").get_by_role("list").bounding_box()
    assert box
    assert area
    x, y = box["x"] + 60, box["y"] + 6
    finger(touch, "touchStart", x, y)
    finger(touch, "touchMove", x, y + 40)  # at once: it scrolls
    finger(touch, "touchEnd")
    expect(ghost(scheduler)).to_be_hidden()
    box = block(scheduler, "Adams").bounding_box()
    assert box
    finger(touch, "touchStart", x, box["y"] + 6)
    expect(page.locator("#board.is-carrying")).to_be_visible()
    finger(touch, "touchMove", area["x"] + 60, box["y"] + 6)
    expect(ghost(scheduler)).to_contain_text("CT2")
    finger(touch, "touchEnd")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(ghost(scheduler)).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 800})
    scheduler.keeps_picture("board_phone", of=page.get_by_role("heading", name="Day board"))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert scheduler.complaints == []


def test_a_block_is_carried_by_keys_and_said_aloud(scheduler: Person, hospital: Department) -> None:
    page, dialog, said = scheduler.page, scheduler.page.get_by_role("dialog"), scheduler.page.get_by_role("status")
    scheduler.goes_to("/board/?modality=CT")
    who = block(scheduler, "Adams").get_by_role("link", name="Adams, Ada").first
    who.focus()
    page.keyboard.press("ArrowRight")
    expect(block(scheduler, "Clark").get_by_role("link").first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(who).to_be_focused()
    page.keyboard.press("Space")
    expect(ghost(scheduler)).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("CT2 is taken until 11:20")
    page.keyboard.press("Escape")
    expect(said).to_have_text("It stays where it was.")
    expect(who).to_be_focused()
    page.keyboard.press("Space")
    for key in ("ArrowRight", "PageUp", "ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(said).to_contain_text("10:05–10:30: free")
    scheduler.keeps_picture("board_keys", of=ghost(scheduler))
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Move")).to_be_focused()
    page.keyboard.press("Enter")
    expect(block(scheduler, "Adams", "CT2")).to_contain_text("25 min")
    expect(said).to_contain_text("The exam is booked: CT2")
    expect(block(scheduler, "Adams").get_by_role("link", name="Adams, Ada").first).to_be_focused()
    assert "1005 Adams^Ada" in times_on(hospital, "CT2")
    assert scheduler.complaints == []


def test_what_happens_elsewhere_shows_by_itself(scheduler: Person, clerk: Person, hospital: Department) -> None:
    page = scheduler.page
    page.set_viewport_size(TALL)
    scheduler.goes_to("/board/")
    block(scheduler, "Bauer").get_by_role("link").first.click()
    order = page.url.removeprefix(hospital.url.rstrip("/"))
    page.go_back()
    drag(scheduler, "Clark", to="CT2", minute=16 * 60)
    expect(ghost(scheduler)).to_contain_text("free")
    with page.expect_response(lambda response: "/board/live/" in response.url and response.status == 200):
        clerk.goes_to(order).page.get_by_role("button", name="Check in").click()
    expect(ghost(scheduler)).to_contain_text("16:00")
    expect(block(scheduler, "Bauer")).to_contain_text("scheduled")
    page.keyboard.press("Escape")
    expect(block(scheduler, "Bauer")).to_contain_text("waiting since")
    page.mouse.up()
    who = block(scheduler, "Clark").get_by_role("link").first
    who.focus()
    ct2, now = Called(hospital.dicom.host, hospital.dicom.port, hospital.ae_title, "CT2"), datetime.now(ZONE)
    entries = [entry for entry in scanner.worklist(ct2, f"{now:%Y%m%d}") if "Clark" in str(entry.answer.PatientName)]
    with calling(ct2, PERFORMED_STEP) as assoc:
        told = scanner.beginning("CT2", "CT", entries, now)
        assert assoc.send_n_create(told, PERFORMED_STEP, generate_uid(prefix=None))[0].Status == 0
    expect(block(scheduler, "Clark")).to_contain_text("in progress")
    expect(who).to_be_focused()
    scheduler.keeps_picture("board_live", of=who)
    clerk.goes_to("/board/")
    expect(block(clerk, "Clark")).to_be_visible()
    assert scheduler.complaints == []
    assert clerk.complaints == []


def test_a_week_a_paper_and_a_board_without_scripts(scheduler: Person, browser: Browser, hospital: Department) -> None:
    page = scheduler.goes_to("/board/").page
    expect(block(scheduler, "Davis")).to_be_visible()
    assert page.evaluate(FIND_FAINT) == []
    assert page.evaluate(FIND_NAMELESS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="CT1", exact=True).click()
    scheduler.keeps_picture("board_week", of=block(scheduler, "Evans"))
    expect(page.locator(".board-column")).to_have_count(7)
    page.get_by_role("link", name="All stations of this day").click()
    expect(block(scheduler, "Miller")).to_be_visible()
    page.emulate_media(media="print")
    scheduler.keeps_picture("board_print", of=block(scheduler, "Miller"))
    state = scheduler.context.storage_state()
    plain = browser.new_context(java_script_enabled=False, storage_state=state)
    bare = plain.new_page()
    bare.goto(hospital.url.rstrip("/") + "/board/?modality=CT")
    miller = bare.get_by_role("listitem").filter(has_text="Miller, Mia")
    expect(miller).to_be_visible()
    miller.get_by_role("link", name="Move").click()
    expect(bare.get_by_role("heading", name="Move the exam")).to_be_visible()
    plain.close()
    assert scheduler.complaints == []
