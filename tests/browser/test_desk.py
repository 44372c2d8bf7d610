"""The front desk in Chromium: an order comes in by HL7, a clerk finds it, checks the patient in, sees the worklist."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.chromium import Person, chromium
from tests.browser.hospital import HEADER, ORDER, PASSWORD, filled, send
from tests.department import Department
from tests.journeys.test_main_road import findscu


@pytest.fixture(scope="module")
def hospital(department: Department) -> Department:
    """A department with two scanners, somebody of each role, and two orders for tonight."""
    return filled(department)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def clerk(browser: Browser, hospital: Department) -> Iterator[Person]:
    person = Person(browser, hospital.url).signs_in("front_desk", PASSWORD)
    yield person
    person.context.close()


def test_a_clerk_finds_a_patient_checks_them_in_and_sees_them_on_the_scanners_list(clerk: Person) -> None:
    page = clerk.page
    clerk.keeps_picture("desk", of=page.get_by_role("heading", name="Today"))
    page.get_by_label("Find a patient").fill("lukasz 17.4.1962")
    page.keyboard.press("Enter")
    found = page.get_by_role("link", name="Müller, Łukasz")
    clerk.keeps_picture("found", of=found)
    found.click()
    order = page.get_by_role("table").get_by_role("link", name=re.compile(r"^H\d+$"))
    clerk.keeps_picture("patient", of=order)
    number = order.inner_text()
    order.click()
    page.get_by_role("button", name="Check in").click()
    clerk.keeps_picture("order", of=page.get_by_text("The patient is checked in."))
    page.get_by_role("link", name="Worklists").click()
    page.get_by_label("Station").select_option("CT1")
    page.get_by_role("button", name="Show").click()
    row = page.get_by_role("row").filter(has_text=number).first
    expect(row).to_contain_text("23:30")
    expect(row).to_contain_text("Müller, Łukasz")
    page.get_by_text("What is sent").first.click()
    clerk.keeps_picture("worklist", of=page.get_by_text("ScheduledStationAETitle").first)
    assert clerk.complaints == []


def test_on_a_phone_every_button_is_there_without_looking_for_it_sideways(clerk: Person, hospital: Department) -> None:
    page = clerk.page
    page.set_viewport_size({"width": 390, "height": 800})
    for address, wanted in (
        ("/", page.get_by_role("button", name="Check in").first),
        ("/ris/scheduledprocedurestep/", page.get_by_role("button", name="Search")),
        ("/password_change/", page.get_by_role("button", name="Sign out")),
        ("/waiting-list/", page.get_by_role("link", name="Exams to be scheduled")),
    ):
        clerk.goes_to(address)
        expect(wanted).to_be_visible()
        box = wanted.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390, address
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
    assert clerk.complaints == []
    clerk.goes_to("/ris/patient/999999/change/")
    clerk.keeps_picture("not_found_phone", of=page.get_by_role("heading", name="Not found"))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_list_that_comes_late_is_no_obstacle(clerk: Person) -> None:
    """On a slow line the answer to the last letter comes when the exam is chosen already."""
    page, late = clerk.page, list[Route]()
    page.get_by_label("Find a patient").fill("lukasz 17.4.1962")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Müller, Łukasz").click()
    page.get_by_role("link", name="New order").click()
    page.route("**/exams/*=abdo*", lambda route: late.append(route))
    exam = page.get_by_role("combobox", name="Exam")
    exam.press_sequentially("abd")
    option = page.get_by_role("option", name="CTABD CT abdomen with contrast")
    expect(option).to_be_visible()
    with page.expect_request("**/exams/*=abdo*"):
        page.keyboard.type("o")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(exam).to_have_value("CTABD CT abdomen with contrast")
    with page.expect_response("**/exams/*=abdo*"):
        late[0].continue_()
    expect(option).to_have_count(0)
    expect(exam).to_have_attribute("aria-expanded", "false")


def test_a_clerk_registers_orders_books_and_prints_with_few_clicks(clerk: Person, hospital: Department) -> None:
    hospital.private("Müler")
    page = clerk.page
    page.get_by_label("Find a patient").press_sequentially("Müler, Lukas")
    alike = page.get_by_role("option", name="Müller, Łukasz")
    clerk.keeps_picture("found_while_typing", of=alike)
    expect(alike).to_contain_text("“Müller” sounds like “Müler”")
    page.keyboard.press("ArrowDown")
    expect(alike).to_have_attribute("aria-selected", "true")
    page.get_by_role("button", name="Register a patient").click()  # 1
    expect(page.get_by_label("Birth date")).to_be_focused()
    expect(page.get_by_label("Family name", exact=True)).to_have_value("Müler")
    expect(page.get_by_label("Given name", exact=True)).to_have_value("Lukas")
    page.keyboard.type("17.4.1962")
    warning = page.get_by_role("alert")
    clerk.keeps_picture("duplicate_while_typing", of=warning)
    expect(warning).to_contain_text("name sounds the same · same birth date")
    expect(warning).to_be_in_viewport()
    page.keyboard.press("Enter")  # asks once more; it never means "New person"
    expect(page.get_by_text("Nobody was registered yet.")).to_be_visible()
    page.get_by_role("button", name="New person: register anyway").click()  # 2
    expect(page.get_by_text("The patient is registered under number")).to_be_visible()
    page.get_by_role("link", name="New order").click()  # 3
    page.get_by_label("Exam").press_sequentially("abdomen")
    expect(page.get_by_role("option", name="CTABD CT abdomen with contrast")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Exam")).to_have_value("CTABD CT abdomen with contrast")
    page.get_by_label("Weight over 120 kg?").select_option("no")
    page.get_by_label("Reason").fill("Pain")
    clerk.keeps_picture("order_entry", of=page.get_by_label("Reason"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("is placed.")).to_be_visible()
    expect(page.get_by_text("Weight over 120 kg? no")).to_be_visible()
    number = page.locator("h1").inner_text().split()[1]
    page.get_by_role("link", name="Find a time").click()  # 4
    clerk.keeps_picture("free_times", of=page.get_by_role("heading", name="Free times"))
    page.get_by_role("button", name=re.compile("^Book")).first.click()  # 5
    clerk.keeps_picture("booked", of=page.get_by_text("The exam is booked."))
    row = page.get_by_role("row").filter(has_text="CT1").first.inner_text()
    found = re.search(r"\d{4}-\d\d-\d\d", row)
    assert found, row
    listed = {answer["accession number"]: answer for answer in findscu(hospital, "CT1", date.fromisoformat(found[0]))}
    assert listed[number]["name"] == "Müler^Lukas"
    address = page.get_by_role("link", name="Print letter").get_attribute("href")
    letter = page.request.get(hospital.url.rstrip("/") + (address or ""))  # Chromium without a head shows no PDF
    assert (letter.headers["content-type"], letter.body()[:5]) == ("application/pdf", b"%PDF-")
    page.get_by_role("button", name="Check in").click()  # 6
    clerk.keeps_picture("checked_in", of=page.get_by_text("The patient is checked in."))
    clerk.goes_to("/ris/patient/add/")
    expect(page.get_by_label("Family name", exact=True)).to_be_focused()
    page.keyboard.type("Müller")
    page.get_by_label("Birth date").fill("31.2.1962")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist")).to_be_visible()
    expect(page.get_by_label("Birth date")).to_be_focused()  # not where an empty form begins
    assert clerk.complaints == []


def _order_of(clerk: Person, number: str, name: str) -> None:
    """Search for a patient by number and open their order."""
    page = clerk.goes_to(f"/ris/patient/?q={number}").page
    page.get_by_role("link", name=name).click()
    page.get_by_role("table").get_by_role("link", name=re.compile(r"^H\d+$")).first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()


def test_who_waits_gets_the_time_of_who_cancels_and_the_scanner_knows(clerk: Person, hospital: Department) -> None:
    page, day = clerk.page, datetime.now(ZoneInfo("Europe/Berlin")).date() + timedelta(days=9)
    hospital.private("Early", "Later")
    for number, name, at in (("4721", "Early^Eve", day), ("4722", "Later^Lea", day + timedelta(days=7))):
        for kind, rest in (("ADT^A04", "PV1|1|O\r"), ("ORM^O01", ORDER)):
            assert "MSA|AA" in send(hospital, (HEADER + rest).format(number, name, f"{at:%Y%m%d}1000", kind))
    assert [answer["patient ID"] for answer in findscu(hospital, "CT1", day)] == ["4721"]
    _order_of(clerk, "4722", "Later, Lea")
    more = page.locator("details.more")
    word = page.locator("details.more > summary")
    word.focus()
    page.keyboard.press("Enter")
    clerk.keeps_picture("more_to_do", of=more.get_by_role("link", name="Waiting list"))
    page.keyboard.press("Escape")
    expect(more.get_by_role("link", name="Waiting list")).to_be_hidden()
    expect(word).to_be_focused()
    word.click()  # 1
    more.get_by_role("link", name="Waiting list").click()  # 2
    page.get_by_label("Notes").fill("Lives near")
    clerk.keeps_picture("put_on_waiting_list", of=page.get_by_label("Hours of notice"))
    page.get_by_role("button", name="Put on the waiting list").click()  # 3
    clerk.keeps_picture("waits", of=page.get_by_text("The patient is on the waiting list."))
    _order_of(clerk, "4721", "Early, Eve")
    page.get_by_text("Cancel the order …").click()  # 1
    page.get_by_role("group").filter(has_text="Cancel the order").get_by_label("Why").fill("Well again")
    page.keyboard.press("Enter")
    offer = page.get_by_role("row").filter(has_text="Later, Lea")
    clerk.keeps_picture("freed_time_offered", of=offer)
    assert findscu(hospital, "CT1", day) == []
    offer.get_by_role("button", name="Accepts").click()  # 2
    clerk.keeps_picture("offer_accepted", of=page.get_by_text("The exam is booked at the offered time."))
    assert [answer["patient ID"] for answer in findscu(hospital, "CT1", day)] == ["4722"]
    assert findscu(hospital, "CT1", day + timedelta(days=7)) == []
    clerk.keeps_picture("waiting_list", of=clerk.goes_to("/waiting-list/").page.get_by_text("Nobody waits."))
    assert clerk.complaints == []


STOCK_PAGES = (
    *("/ris/patient/", "/ris/order/", "/ris/scheduledprocedurestep/", "/ris/exam/", "/ris/exam/1/change/"),
    *("/ris/exam/1/history/", "/ris/station/1/change/", "/ris/site/", "/ris/event/", "/ris/user/", "/ris/user/add/"),
    *("/ris/user/1/change/", "/auth/group/", "/auth/group/1/change/", "/password_change/", "/hl7/inboundmessage/"),
    *("/hl7/inboundmessage/1/change/", "/worklist/querylog/", "/worklist/unknowncaller/", "/ris/exam/1/delete/"),
)


def test_no_page_of_the_admin_breaks_the_content_policy(browser: Browser, hospital: Department) -> None:
    admin = Person(browser, hospital.url).signs_in("admin", hospital.admin_password)
    for address in STOCK_PAGES:
        admin.goes_to(address)
    admin.context.close()
    assert admin.complaints == []


FIND_NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a[href]")].filter(element =>
    element.type !== "hidden" && !element.labels?.length && !element.ariaLabel && !element.textContent.trim()
    && !element.value && !element.title && !element.classList.contains("select2-search__field")
).map(element => element.outerHTML)"""


def test_a_password_that_is_wrong_is_said_and_the_session_is_needed(browser: Browser, hospital: Department) -> None:
    stranger = Person(browser, hospital.url).signs_in("front_desk", "wrong")
    expect(stranger.page.get_by_text("Please enter a correct username and password")).to_be_visible()
    stranger.goes_to("/ris/patient/")
    expect(stranger.page.get_by_label("Password")).to_be_visible()
    stranger.context.close()


def _signed_in(hospital: Department, name: str) -> tuple[OpenerDirector, CookieJar]:
    jar = CookieJar()
    opener = build_opener(HTTPCookieProcessor(jar))
    opener.open(hospital.url + "login/", timeout=60).close()
    _send(opener, jar, hospital.url + "login/", {"username": name, "password": PASSWORD, "next": "/healthz"})
    return opener, jar


def _send(opener: OpenerDirector, jar: CookieJar, address: str, values: dict[str, str]) -> int:
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken") or ""
    body = urlencode(values | {"csrfmiddlewaretoken": token}).encode()
    with opener.open(address, body, timeout=60) as response:
        return int(response.status)


def test_two_clicks_at_the_same_instant_register_once(hospital: Department) -> None:
    hospital.private("Doubleclick")
    opener, jar = _signed_in(hospital, "scheduler")
    form = {"family": "Doubleclick", "given": "Dora", "token": "0123456789abcdef", "anyway": "on"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _send(opener, jar, hospital.url + "ris/patient/add/", form), range(4)))
    assert answers == [200] * 4
    assert hospital.rows("SELECT count(*) FROM ris_patient WHERE patient_name = 'Doubleclick^Dora'") == [(1,)]


KEPT = 8
WITHOUT_PATIENT = "MSH|^~\\&|LAB|GH|BUCKY|GH|20260105||MFN^M02|LAB1|P|2.5.1\r"
BORN = HEADER.replace("19620417", "19620230") + "PV1|1|O\r"
ASKING = HEADER.partition("\rPID")[0] + "\rPID|1||4712^^^HIS^MR\rORC|ZZ|4712P^HIS\r"


def test_messages_that_failed_are_tried_edited_dismissed_and_sent_again_together(
    browser: Browser, hospital: Department
) -> None:
    hospital.private("Inboxson", "4790")
    assert "MSA|AE" in send(hospital, BORN.format("4790", "Inboxson^Ida", "", "ADT^A04"))
    assert "MSA|AR" in send(hospital, WITHOUT_PATIENT)
    for number in range(KEPT):
        assert "MSA|AA" in send(hospital, ASKING.format(f"Z{number}", "", "", "ORM^O01"))
    expert = Person(browser, hospital.url).signs_in("informatics", PASSWORD)
    page = expert.page

    expert.goes_to("/hl7/inboundmessage/?trouble=yes&message_type=ADT")
    page.get_by_role("link", name="4790ADT^A04").click()
    page.get_by_role("link", name="What would it do now?").click()
    expect(page.get_by_text("Nothing was changed: this was only tried.")).to_be_visible()
    expect(page.get_by_role("definition").filter(has_text="AE")).to_be_visible()
    page.get_by_role("link", name="Edit and send again").click()
    text = page.get_by_label("One segment a line")
    text.fill(text.input_value().replace("19620230", "19620228"))
    page.get_by_role("button", name="What would it do now?").click()
    expect(page.locator("del", has_text="19620230")).to_be_visible()
    effect = page.locator(".effect").filter(has_text="Patient")
    expect(effect.locator("ins").filter(has_text="Inboxson").first).to_be_visible()
    expert.keeps_picture("inbox_edit", of=page.get_by_role("button", name="Send this text"))
    assert hospital.rows("SELECT count(*) FROM ris_patient WHERE patient_name LIKE 'Inboxson%'") == [(0,)]
    page.get_by_role("button", name="Send this text").click()
    expect(page.get_by_text("The message was sent again and applied.")).to_be_visible()
    page.get_by_role("link", name="ADT^A04 4790ADT^A04").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("mended by a later one")

    expert.goes_to("/hl7/inboundmessage/?trouble=yes&message_type=MFN")
    page.get_by_role("link", name="LAB1").click()
    page.get_by_text("Dismiss").first.click()
    page.get_by_label("Why it is not needed").fill("Nobody here keeps a catalogue of laboratories")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("The message is dismissed.")).to_be_visible()

    expert.goes_to("/hl7/ordercontrol/add/")
    page.get_by_label("Order control").fill("zz")
    page.get_by_label("What is done").select_option("nothing")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    expert.goes_to("/hl7/inboundmessage/?trouble=yes&message_type=ORM")
    page.get_by_role("link", name="Send all of these again that failed or were kept").click()
    expect(page.get_by_text(f"{KEPT} messages failed or were kept.")).to_be_visible()
    page.get_by_role("button", name="Send them again").click()
    expect(page.get_by_text("Finished.")).to_be_visible()  # the worker did it, and the page came again by itself
    expect(page.get_by_role("progressbar")).to_have_attribute("value", str(KEPT))
    expect(page.get_by_text(f"{KEPT} of {KEPT}")).to_be_visible()
    expect(page.get_by_text(f"Applied: {KEPT}")).to_be_visible()
    expert.keeps_picture("inbox_replay", of=page.get_by_role("table"))
    left = "SELECT count(*) FROM hl7_inboundmessage WHERE state IN ('kept', 'failed')"
    assert hospital.rows(left) == [(0,)]
    assert expert.complaints == []
    expert.context.close()


FIND_FAINT = """() => {
    const parts = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
    const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = element => { for (; element; element = element.parentElement) {
        const colour = parts(getComputedStyle(element).backgroundColor); if (colour[3] > 0.9) return colour; }
        return [255, 255, 255]; };
    const shown = element => element.checkVisibility() && element.type !== "hidden"
        && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()) || element.type === "submit";
    return [...document.querySelectorAll("body *")].filter(shown).map(element => {
        const [one, two] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
        return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), element.outerHTML.slice(0, 120)];
    }).filter(([ratio]) => ratio < 4.5);
}"""
