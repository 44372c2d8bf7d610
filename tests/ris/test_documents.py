"""What the patient gets on paper: the letter, the label, the wristband, in every script."""

import itertools
import re
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader
from reportlab.graphics.barcode import code128

from ris.documents import codes, writing
from ris.models import Event, EventKind, ExamPreparation
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


def pdf(clerk: Desk, address: str) -> PdfReader:
    answer = clerk.client.get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    return PdfReader(BytesIO(answer.content))


def text_in(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


PATTERNS: dict[str, int] = {pattern: value for value, pattern in vars(code128)["_patterns"].items()}
"""Widths of bars and spaces in modules, as letters (bars in capitals), and the value of the sign in Code 128."""


def code_in(reader: PdfReader) -> str:
    """Read the bars of the last page as a scanner does: widths in modules, signs, check sign, sets B and C."""
    drawing = reader.pages[-1].get_contents()
    assert drawing is not None
    found = re.findall(r"n ([\d.]+) 0 ([\d.]+) [\d.]+ re f", drawing.get_data().decode("latin-1"))
    bars = [(float(x), float(width)) for x, width in found]
    edges = [edge for x, width in bars for edge in (x, x + width)]
    module = bars[0][1] / 2  # each start sign begins with a bar of two modules
    widths = [round((b - a) / module) for a, b in itertools.pairwise(edges)]
    letters = "".join(chr(ord("a" if place % 2 else "A") + width - 1) for place, width in enumerate(widths))
    start, *values, check = (PATTERNS[letters[place : place + 6]] for place in range(0, len(letters) - 7, 6))
    assert check == (start + sum(place * value for place, value in enumerate(values, 1))) % 103
    in_c, text = start == 105, ""
    for value in values:
        if value in (99, 100):
            in_c = value == 99
        else:
            text += f"{value:02d}" if in_c else chr(32 + value)
    return text


def test_the_letter_says_when_where_and_how_to_prepare_in_the_patients_language(clerk: Desk) -> None:
    exam = factories.exam(preparation="Nothing to eat for six hours.")
    ExamPreparation.new(exam=exam, language="pl", text="Przez sześć godzin nic nie jeść.")
    site = factories.site(phone="030 4711")
    factories.station("CT1", site=site, location="Ground floor")
    for language, sentence in (("pl", "Przez sześć godzin nic nie jeść."), ("", "Nothing to eat for six hours.")):
        patient = factories.patient("Wróbel^Łukasz", primary_language=language, address="Mill 7, 12345 Town")
        order = factories.order(patient=patient, exam=exam, start=factories.today_at(10, 15, days=3))
        letter = pdf(clerk, f"/ris/order/{order.pk}/letter/")
        text = text_in(letter)
        at = factories.today_at(10, days=3)
        day = f"{at:%A}, {at.day} {at:%B %Y} at 10:15"
        for part in ("Wróbel, Łukasz", "Mill 7", day, "Ground floor", "CT abdomen", sentence, "Phone 030 4711"):
            assert part in text
        assert "call us as early as you can: 030 4711." in " ".join(text.split())
        assert code_in(letter) == order.accession_number
    printed = Event.objects.filter(kind=EventKind.DOCUMENT_PRINTED).latest("pk")
    assert (printed.order, printed.user, printed.data) == (order, clerk.user, {"document": "letter"})


def test_a_german_letter_names_the_phone_of_the_department(clerk: Desk) -> None:
    patient = factories.patient(primary_language="de")
    site = factories.site(phone="030 4711")
    order = factories.order(patient=patient, site=site, start=factories.today_at(10, days=3))
    assert "Print letter" in clerk.get(f"/ris/order/{order.pk}/change/")
    text = text_in(pdf(clerk, f"/ris/order/{order.pk}/letter/"))
    assert text.count("rufen Sie uns bitte so früh wie möglich an: 030 4711.") == 1
    assert "document: appointment letter" in text_of(clerk.get(f"/ris/order/{order.pk}/change/"))


def test_a_german_letter_writes_its_dates_in_german(clerk: Desk) -> None:
    patient = factories.patient(primary_language="de")
    order = factories.order(patient=patient, start=datetime(2030, 3, 4, 9, 30, tzinfo=ZoneInfo("Europe/Berlin")))
    text = text_in(pdf(clerk, f"/ris/order/{order.pk}/letter/"))
    assert "Montag, 4. März 2030" in text
    assert "Telefon" not in text, "the site has none"


def test_the_letter_has_every_appointment_in_order_and_none_that_is_cancelled(clerk: Desk) -> None:
    exam = factories.exam("NMBONE", modality="NM", steps=[("Injection", "NM", 20), ("Images", "NM", 40)])
    factories.station("NM1")
    order = factories.order(exam=exam, start=factories.today_at(8, days=1))
    text = text_in(pdf(clerk, f"/ris/order/{order.pk}/letter/"))
    assert text.index("Injection") < text.index("Images")
    clerk.post(f"/ris/order/{order.pk}/act/", verb="cancel", reason="moved away")
    page = text_of(clerk.client.get(f"/ris/order/{order.pk}/letter/", follow=True).content.decode())
    assert "Print letter" not in page
    assert "Nothing of this order is booked yet" in page


@pytest.mark.parametrize("state", factories.STEP_PATHS)
def test_there_is_a_letter_of_what_has_a_place_and_was_neither_missed_nor_stopped(clerk: Desk, state: str) -> None:
    order = factories.step(state).requested_procedure.order
    if state in ("REQUESTED", "CANCELED", "DISCONTINUED", "NO_SHOW"):
        assert "Print letter" not in clerk.get(f"/ris/order/{order.pk}/change/")
        assert clerk.client.get(f"/ris/order/{order.pk}/letter/").status_code == 302
    else:
        assert "CT abdomen" in text_in(pdf(clerk, f"/ris/order/{order.pk}/letter/"))


def test_a_long_preparation_goes_on_on_the_next_page(clerk: Desk) -> None:
    exam = factories.exam(preparation="\n".join(f"Line {number}: {'drink water ' * 12}" for number in range(40)))
    order = factories.order(exam=exam)
    letter = pdf(clerk, f"/ris/order/{order.pk}/letter/")
    assert len(letter.pages) == 3
    assert "Line 0:" in text_in(letter)
    assert "Line 39:" in text_in(letter)


@pytest.mark.parametrize("number", ["4711", "INS-47110815", "P00000042", "10000042"])
def test_wristband_and_label_carry_the_numbers_as_bar_codes(clerk: Desk, number: str) -> None:
    patient = factories.patient("Yamada^Tarou", number, patient_name_ideographic="山田^太郎")
    band = pdf(clerk, f"/ris/patient/{patient.pk}/wristband/")
    assert code_in(band) == number
    assert all(part in text_in(band) for part in ("Yamada, Tarou", "山田", "太郎", "1962-04-17", number))
    order = factories.order(patient=patient)
    label = pdf(clerk, f"/ris/order/{order.pk}/label/")
    assert code_in(label) == order.accession_number
    assert "CT abdomen" in text_in(label)
    kinds = Event.objects.filter(kind=EventKind.DOCUMENT_PRINTED).order_by("pk").values_list("data", flat=True)
    assert list(kinds) == [{"document": "wristband"}, {"document": "label"}]


@pytest.mark.parametrize(
    "name",
    [
        *("Müller-Lüdenscheidt, Ñandú Łőß", "Воронцов, Пётр", "Παππάς, Ελένη", "Đặng, Hường", "Kjær, Øjvind"),
        *(
            "محمد الحداد",
            "דבורה גולן",
            "王, 建国",
            "山田, 太郎",
            "やまだ, タロウ",
            "김, 민지",
            "แก้วมณี, อรุณี",
            "शर्मा, राजेश",
        ),
    ],
)
def test_every_script_of_the_demo_has_a_font(name: str) -> None:
    assert writing.unprintable(name) == ""
    assert writing.width_of(name, 10) > 30


def test_a_line_from_right_to_left_keeps_its_numbers_and_its_order() -> None:
    pieces = [piece for _font, piece in writing._pieces("דבורה גולן 45")]
    assert pieces[0].strip() == "45"
    assert pieces[-1] == "דבורה"


def test_a_name_that_no_font_has_is_said_on_screen_before_anything_is_printed(clerk: Desk) -> None:
    patient = factories.patient("ខ្មែរ^Sok", "4711")
    page = text_of(clerk.get(f"/ris/patient/{patient.pk}/wristband/"))
    assert "No font of Bucky has these signs" in page
    assert "ខ" in page
    assert not Event.objects.filter(kind=EventKind.DOCUMENT_PRINTED).exists()
    assert "Sok" in text_in(pdf(clerk, f"/ris/patient/{patient.pk}/wristband/?anyway=1"))


def test_a_number_that_a_bar_code_cannot_hold_is_said(clerk: Desk) -> None:
    patient = factories.patient("Doe^Jane", "№4711")
    assert "cannot hold" in text_of(clerk.get(f"/ris/patient/{patient.pk}/wristband/"))
    assert not codes.can_be_coded("№4711")


def test_text_that_is_too_wide_is_broken_or_cut() -> None:
    assert writing.wrapped("请在检查前六小时内不要进食", 10, 60)[0] == "请在检查前六"
    assert writing.wrapped("a b", 10, 500) == ["a b"]
    assert all(writing.width_of(line, 10) <= 80 for line in writing.wrapped("W" * 60 + " und so weiter", 10, 80))
