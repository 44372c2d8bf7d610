"""What a message would do: told truly, and nothing at all is changed by asking."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from hl7 import handlers, intake
from hl7.models import InboundMessage
from hl7.readable import readable_answer
from hl7.rehearsal import Rehearsal, rehearse
from ris.identifiers import Series
from ris.models import Exam, Order, Patient
from tests import factories
from tests.hl7.conftest import PEER
from tests.hl7.stories import Accepted
from tests.messages import adt, hl7_time, mrg, msh, obr, orc, orm, pid, pv1
from tests.messages import send as written


def everything() -> dict[str, Any]:
    """Return every row of every table, and the numbers that the series have come to."""
    found: dict[str, Any] = {
        model._meta.label: sorted(repr(list(map(plain, row))) for row in model._default_manager.values_list())
        for model in apps.get_models()
    }
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for series in Series:
                cursor.execute(f"SELECT last_value, is_called FROM {series.value}")  # noqa: S608 (our own names)
                found[series.value] = cursor.fetchone()
    return found


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def code_of(rehearsal: Rehearsal) -> str:
    answer = readable_answer(rehearsal.answer)
    return answer.code if answer else ""


def told(rehearsal: Rehearsal) -> dict[str, list[str]]:
    """Return what each kind of row would become."""
    return {
        row.kind: [f"{change.label}: {change.before} -> {change.after}" for change in row.changes]
        for row in rehearsal.effect.rows
    }


MESSAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "somebody new": (lambda: adt("A04", pid("NEW"), pv1("VNEW")), "AA"),
    "an order booked": (lambda: orm("NW", placer="P2", start=hl7_time(factories.today_at(12))), "AA"),
    "an order of somebody new": (
        lambda: written(msh("ORM^O01"), pid("4713"), orc("NW", "P3"), obr(placer="P3")),
        "AA",
    ),
    "an order cancelled": (lambda: orm("CA"), "AA"),
    "patients merged": (lambda: adt("A40", pid(), mrg("4712")), "AA"),
    "a merge of somebody unknown": (lambda: adt("A40", pid(), mrg("NOBODY")), "AA"),
    "an order that nobody knows": (lambda: orm("CA", placer="NOPE"), "AE"),
    "a date that does not exist": (lambda: adt("A04", pid("NEW", birth_date="20260230")), "AE"),
    "a type that is not taken": (lambda: written(msh("MFN^M02"), pid()), "AR"),
    "no control ID": (lambda: written(msh("ADT^A04", control_id=" "), pid()), "AR"),
    "no HL7 at all": (lambda: b"hello", "AR"),
    "an answer": (lambda: written(msh("ACK^A04"), "MSA|AA|77"), ""),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_rehearsal_tells_the_answer_and_changes_nothing(accepted: Accepted, kind: str) -> None:
    for raw in (adt("A04"), adt("A04", pid("4712"), pv1("V200")), orm("NW", start=hl7_time(factories.today_at(11)))):
        accepted(raw)
    write, expected = MESSAGES[kind]
    raw = write()
    before = everything()
    rehearsal = rehearse(raw, PEER)
    assert everything() == before
    assert code_of(rehearsal) == expected
    assert bool(rehearsal.effect.rows) == (expected == "AA")
    if expected:
        assert readable_answer(intake.receive(raw, PEER)) == readable_answer(rehearsal.answer), "it came true"


def test_a_rehearsal_tells_each_value_before_and_after(accepted: Accepted) -> None:
    accepted(adt("A04"))
    rehearsal = rehearse(adt("A08", pid(name="Roe^Jane", birth_date="19620418"), pv1(location="W9")), PEER)
    assert told(rehearsal) == {
        "Patient": ["name: Doe, Jane -> Roe, Jane", "birth date: 1962-04-17 -> 1962-04-18"],
        "Visit": ["location: WARD3, 12, B -> W9"],
    }
    assert [row.page for row in rehearsal.effect.rows] == [Patient.objects.get()] * 2


def test_numbers_that_would_be_made_are_not_made_up(accepted: Accepted) -> None:
    accepted(adt("A04"))
    rehearsal = rehearse(orm("NW", start=hl7_time(factories.today_at(12))), PEER)
    names = {row.kind: row.name for row in rehearsal.effect.rows}
    assert (names["Order"], names["Step"]) == ("(new number)", "(new number)")
    assert [row.url for row in rehearsal.effect.rows if row.kind in ("Order", "Step")] == ["", ""]
    accepted(orm("NW", start=hl7_time(factories.today_at(12))))
    assert not Order.objects.get().accession_number.removeprefix("H").startswith(("269", "279"))


def test_what_was_applied_before_is_said(accepted: Accepted) -> None:
    raw = adt("A04", control_id="M1")
    row = accepted(raw)
    assert rehearse(raw, PEER).done_by == row
    assert rehearse(adt("A04", control_id="M2"), PEER).done_by is None


def test_a_rehearsal_follows_the_catalogue_of_this_moment(accepted: Accepted) -> None:
    raw = orm("NW", code="XR9^Something^L", start=hl7_time(factories.today_at(12)))
    assert any("catalogue" in warning for warning in rehearse(raw, PEER).warnings)
    Exam.new(code="XR9", meaning="Something", modality="CT", duration=10)
    assert not any("catalogue" in warning for warning in rehearse(raw, PEER).warnings)
    assert not InboundMessage.objects.exists()


def test_a_fault_of_ours_is_told_and_logged_without_the_patient(
    hospital: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("Doe")

    monkeypatch.setattr(handlers, "apply", broken)
    assert code_of(rehearse(adt("A04"), PEER)) == "AE"
    assert "Doe" not in "".join(record.getMessage() for record in caplog.records)
