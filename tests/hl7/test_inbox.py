"""The inbox: what a message changed, and every way to find one among many."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hl7 import texts
from hl7.models import OPEN_STATES, InboundMessage, MessageState, MessageText
from ris.models import Event, EventKind, Order, Patient
from ris.roles import Role
from tests import factories
from tests.hl7.stories import Accepted, Send
from tests.messages import adt, hl7_time, msh, orm, pid, pv1
from tests.messages import send as written
from tests.ris.desk import Desk, text_of

LIST = "/hl7/inboundmessage/"


@pytest.fixture
def expert(hospital: None) -> Desk:
    return Desk(Role.INFORMATICS)


def page_of(desk: Desk, message: InboundMessage) -> str:
    return text_of(desk.get(f"{LIST}{message.pk}/change/"))


def test_the_page_of_a_message_tells_what_it_changed(expert: Desk, accepted: Accepted) -> None:
    words = page_of(expert, accepted(adt("A04")))
    assert "Patient Doe, Jane (4711) Patient registered name Doe, Jane birth date 1962-04-17" in words
    assert "number 4711^HIS^MR" in words
    assert "Visit V100 Visit opened" in words
    words = page_of(expert, accepted(adt("A08", pid(name="Roe^Jane"), pv1(location="W9"))))
    assert "name Doe, Jane Roe, Jane" in words
    assert "location WARD3, 12, B W9" in words
    words = page_of(expert, accepted(orm("NW", start=hl7_time(factories.today_at(12)))))
    number = Order.objects.get().accession_number
    assert f"Order {number} Order placed" in words
    assert "exam CTABD Exam CTABD" in words or "exam CTABD CT abdomen with contrast" in words
    assert "visit V100" in words
    assert "Step booked" in words
    assert "state SCHEDULED" in page_of(expert, accepted(orm("CA"))).replace("scheduled", "SCHEDULED")
    accepted(adt("A04", pid("4712"), pv1("V200")))
    words = page_of(expert, accepted(written(msh("ADT^A40"), pid(), "MRG|4712^^^HIS^MR")))
    assert words.count("merged into Doe, Jane (4711)") == 1, "told once, on the row of who went"
    assert "visits V200" in words


def test_a_late_message_leads_to_the_patient_who_survived(expert: Desk, accepted: Accepted) -> None:
    for raw in (
        adt("A04"),
        adt("A04", pid("4712", name="Roe^Ann")),
        written(msh("ADT^A40"), pid(), "MRG|4712^^^HIS^MR"),
    ):
        accepted(raw)
    late = accepted(adt("A08", pid("4712", name="Roe^Ann")))
    words = page_of(expert, late)
    assert "It names Roe, Ann (4712) merged Doe, Jane (4711) What it changed Nothing." in words
    looked = Event.objects.filter(kind=EventKind.PATIENTS_LISTED).latest("pk")
    assert looked.subject == f"hl7.inboundmessage:{late.pk}"
    assert set(looked.data["patients"]) == set(Patient.objects.values_list("pk", flat=True))


def test_a_failed_message_says_once_where_its_fault_is(expert: Desk, send: Send) -> None:
    send(adt("A04", pid("4713", birth_date="20260230")))
    message = InboundMessage.objects.get()
    for words in (page_of(expert, message), text_of(expert.get(LIST))):
        assert "PID-7 is a date that does not exist." in words
        assert "PID-7 PID-7" not in words
    assert f"Number hl7:{message.pk}" in page_of(expert, message)
    assert f"{timezone.localtime(message.received_at):%H:%M:%S}" in text_of(expert.get(LIST))


def test_a_message_without_effect_says_so(expert: Desk, accepted: Accepted) -> None:
    assert "Answer AA accepted and applied The answer" in page_of(expert, accepted(adt("A04")))
    kept = accepted(orm("QQ"))
    assert "Answer AA accepted and applied, or kept with the reason why not" in page_of(expert, kept)
    assert "What it changed Nothing." in page_of(expert, accepted(adt("A08")))


@pytest.fixture
def many(expert: Desk, send: Send) -> Desk:
    """Messages of several senders, kinds, days and fates."""
    send(written(msh("ADT^A04", control_id="MUELLER"), pid("5001", "Müller^Zoë")))
    cyrillic = written(
        msh("ADT^A04", control_id="CYRILLIC", charset="8859/5"), pid("5002", "Иванов"), encoding="iso8859-5"
    )
    send(cyrillic)
    send(orm("NW", patient=pid("5001", "Müller^Zoë"), placer="PL77", control_id="ORDER"))
    send(orm("CA", patient=pid("5001", "Müller^Zoë"), placer="PL78", control_id="CANCEL"))
    send(written(msh("MFN^M02", control_id="MASTER", application="LAB", facility="EAST"), "MFI|A\\T\\B"))
    send(adt("A04", pid("5003", birth_date="20260230"), control_id="BROKEN"))
    InboundMessage.objects.filter(control_id="CYRILLIC").update(received_at=timezone.now() - timedelta(days=3))
    return expert


NAMES = ("MUELLER", "CYRILLIC", "ORDER", "CANCEL", "MASTER", "BROKEN")


def listed(desk: Desk, **asked: str) -> set[str]:
    page = text_of(desk.client.get(LIST, asked).content.decode())
    return {name for name in NAMES if f" {name} " in page}


FOUND: tuple[tuple[dict[str, str], set[str]], ...] = (
    ({"q": "müller"}, {"MUELLER", "ORDER", "CANCEL"}),
    ({"q": "MULLER zoe"}, {"MUELLER", "ORDER", "CANCEL"}),
    ({"q": "иванов"}, {"CYRILLIC"}),
    ({"q": "a&b"}, {"MASTER"}),
    ({"q": "pl77"}, {"ORDER"}),
    ({"q": "100%"}, set()),
    ({"q": "zz"}, set()),
    ({"q": "MFN"}, {"MASTER"}),
    ({"patient": "muller"}, {"MUELLER", "ORDER", "CANCEL"}),
    ({"patient": "5001"}, {"MUELLER", "ORDER", "CANCEL"}),
    ({"patient": "nobody"}, set()),
    ({"order": "PL77"}, {"ORDER"}),
    ({"order": "PL78"}, {"CANCEL"}),
    ({"sender": "lab"}, {"MASTER"}),
    ({"sender": "EAST"}, {"MASTER"}),
    ({"sender": "10.0.0.7"}, set(NAMES)),
    ({"sender": "10.0.0.8"}, set()),
    ({"day": "today"}, set(NAMES) - {"CYRILLIC"}),
    ({"day": "last7"}, set(NAMES)),
    ({"time": "1999-12-31"}, set()),
    ({"time": "2000-01-01 - 2199-01-01"}, set(NAMES)),
    ({"time": "some day"}, set()),
    ({"message_type": "ORM"}, {"ORDER", "CANCEL"}),
    ({"event": "A04"}, {"MUELLER", "CYRILLIC", "BROKEN"}),
    ({"state__exact": "kept"}, {"MASTER"}),
    ({"state__exact": "failed"}, {"CANCEL", "BROKEN"}),
    ({"trouble": "yes", "patient": "5001"}, {"CANCEL"}),
    ({"q": "müller", "sender": "his", "day": "today", "message_type": "ORM"}, {"ORDER", "CANCEL"}),
)
"""What is asked for in the address of the list -> the messages that are shown."""


def test_a_message_is_found_by_whatever_is_known_of_it(many: Desk) -> None:
    for asked, found in FOUND:
        assert (asked, listed(many, **asked)) == (asked, found)


def test_the_order_is_found_by_its_accession_number(many: Desk) -> None:
    assert listed(many, order=Order.objects.get().accession_number) == {"ORDER"}


def test_the_page_says_what_was_searched(many: Desk) -> None:
    first = InboundMessage.objects.earliest("pk").received_at
    words = text_of(many.get(f"{LIST}?q=zoe"))
    assert f"Searched: the text of every message that came from {timezone.localtime(first):%Y-%m-%d %H:%M}" in words


@pytest.mark.parametrize("state", MessageState)
def test_every_state_can_be_asked_for(expert: Desk, state: MessageState) -> None:
    InboundMessage.objects.create(raw=b"x", content_hash="x", control_id="BROKEN", state=state)
    assert listed(expert, state__exact=state.value) == {"BROKEN"}
    assert listed(expert, trouble="yes") == ({"BROKEN"} if state in (*OPEN_STATES, MessageState.WAITING) else set())


def test_the_text_of_messages_is_caught_up_in_pieces_and_only_once(many: Desk) -> None:
    MessageText.objects.all().delete()
    assert [texts.catch_up(4), texts.catch_up(4), texts.catch_up(4)] == [4, 2, 0]


def test_bytes_that_are_no_message_are_searched_as_well(expert: Desk, send: Send) -> None:
    InboundMessage.objects.create(raw=b"\x00\xffHello \xfcber", content_hash="x", control_id="BROKEN")
    assert listed(expert, q="hello uber") == {"BROKEN"}


def test_a_search_is_bounded_and_goes_by_the_index_of_postgresql(many: Desk) -> None:
    many.get(f"{LIST}?q=zoe")
    with CaptureQueriesContext(connection) as captured:
        many.get(f"{LIST}?q=zoe&sender=HIS")
    (statement,) = [query["sql"] for query in captured if "LIMIT 1001" in query["sql"]]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
            cursor.execute(f"EXPLAIN {statement}")
            assert "hl7_messagetext_trigrams" in "".join(line for (line,) in cursor.fetchall())


STATEMENTS: tuple[tuple[dict[str, str], int], ...] = (
    ({}, 16),
    ({"q": "müller"}, 27),
    ({"q": "zz"}, 24),
    ({"patient": "muller"}, 21),
    ({"order": "PL77"}, 20),
    ({"sender": "lab"}, 16),
    ({"message_type": "ORM", "event": "O01"}, 16),
    ({"state__exact": "failed"}, 16),
    ({"day": "last7", "answer_code": "AE"}, 16),
)
"""What is asked for -> statements that the page may cost, with those for the person, their session and the audit."""


def test_a_search_costs_few_statements_none_of_which_grows_with_the_messages(many: Desk) -> None:
    many.get(LIST)  # the texts of what came are written now
    costs = []
    for asked, _ in STATEMENTS:
        with CaptureQueriesContext(connection) as captured:
            assert many.client.get(LIST, asked).status_code == 200
        costs.append((asked, len(captured)))
        assert not [one["sql"] for one in captured if "DISTINCT" in one["sql"] and "hl7_inboundmessage" in one["sql"]]
    assert [(asked, count) for (asked, count), (_, most) in zip(costs, STATEMENTS, strict=True) if count > most] == []
