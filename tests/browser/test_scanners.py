"""A technologist in Chromium: an emergency gets its order, a list is explained, left-over exams are closed."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from pydicom.uid import generate_uid

from tests.browser.chromium import Person, chromium
from tests.department import Department
from tests.waiting import wait_until
from worklist import scanner
from worklist.scu import Called

PREPARE = """
from ris.models import User
from django.contrib.auth.models import Group
from ris.roles import Role
from tests import factories
jane = factories.patient("Secretname^Jane", "4713")
factories.order(patient=jane, start=factories.today_at(23, 30))
factories.order(patient=factories.patient("Secretname^John", "4714"), start=factories.today_at(23, 50))
for hour in (9, 10, 11):
    factories.order(start=factories.today_at(hour, days=-2))
User.objects.create_user("tom", password="correct horse battery").groups.add(Group.objects.get(name=Role.TECHNOLOGIST))
"""
ZONE = ZoneInfo("Europe/Berlin")


@pytest.fixture
def technologist(department: Department) -> Iterator[Person]:
    department.private("Secretname", "4713")
    prepared = department.manage("shell", "--verbosity", "0", "-c", PREPARE)
    assert prepared.returncode == 0, prepared.stderr
    with chromium() as browser:
        person = Person(browser, department.url).signs_in("tom", "correct horse battery")
        yield person
        person.context.close()


def an_emergency_is_scanned(department: Department) -> None:
    """The scanner asks for its list, and then performs somebody whom it has typed in."""
    ct1 = Called(department.dicom.host, department.dicom.port, department.ae_title, "CT1")
    uid, now = generate_uid(prefix=None), datetime.now(ZONE)
    assert len(scanner.worklist(ct1, f"{now:%Y%m%d}")) == 2
    told = scanner.beginning("CT1", "CT", [], now)
    told.PatientName, told.PatientID, told.PatientBirthDate, told.PatientSex = "Secretname^J", "4713", "19620417", "F"
    scanner.begin(ct1, uid, told)
    scanner.update(ct1, uid, scanner.ending(now, images=3))
    wait_until(lambda: department.rows("SELECT count(*) FROM worklist_querylog") == [(1,)], what="the query in the log")


def test_a_technologist_s_evening(technologist: Person, department: Department) -> None:
    an_emergency_is_scanned(department)
    page = technologist.goes_to("/").page
    page.get_by_role("link", name="Secretname, J", exact=True).click()
    likely = page.get_by_role("row").filter(has_text="Secretname, Jane")
    technologist.keeps_picture("performed", of=likely)
    for reason in ("The patient's number is the same", "The birth date is the same", "The modality is the same"):
        expect(likely).to_contain_text(reason)
    likely.get_by_role("button", name="This one").click()
    expect(page.get_by_text("It belongs to this order now.")).to_be_visible()
    page.get_by_role("table").get_by_role("link", name="Secretname, Jane").click()
    expect(page.get_by_text("completed").first).to_be_visible()

    page.locator("details.more > summary").click()
    page.get_by_role("link", name="Why is it not on my scanner?").click()
    expect(page.get_by_text("This exam was sent to the scanner")).to_be_visible()
    expect(page.get_by_text("It does not fit any more: State.")).to_be_visible()
    state = page.get_by_role("row").filter(has_text="one of: scheduled, arrived, ready, in progress")
    expect(state).to_contain_text("Book the exam, or open it again")
    expect(page.get_by_text("Asked now, it finds 1 other exam.")).to_be_visible()
    technologist.keeps_picture("why", of=state)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page is too wide"

    page.get_by_role("link", name="Left over").click()
    ticks = page.get_by_role("row").get_by_label("SPS")
    expect(ticks).to_have_count(3)
    page.get_by_label("Tick all").check()
    expect(ticks.nth(2)).to_be_checked()
    ticks.nth(2).uncheck()
    expect(page.get_by_label("Tick all")).not_to_be_checked()
    page.get_by_label("Why").fill("nobody pressed complete")
    page.get_by_role("button", name="Complete what is ticked").click()
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("max", "2")
    expect(page.get_by_text("2 of 2 · finished")).to_be_visible()  # the page looks again by itself
    expect(ticks).to_have_count(1)
    technologist.keeps_picture("left_over", of=bar)
    assert technologist.complaints == []
