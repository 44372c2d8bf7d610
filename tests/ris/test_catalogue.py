"""What messages need of the catalogue is read once and stays true."""

from time import monotonic

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ris.actions import catalogue
from ris.models import Exam, ExamStep, Site
from tests import factories

pytestmark = pytest.mark.django_db


def codes() -> list[str]:
    return [exam.code for exam in catalogue.exams(frozenset({"CTABD", "MRHEAD"}))]


def test_the_catalogue_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SECONDS", 600)
    factories.exam("CTABD")
    assert codes() == codes() == ["CTABD"]
    with CaptureQueriesContext(connection) as captured:
        codes()
    assert not len(captured)


def test_a_change_made_here_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SECONDS", 600)
    exam = factories.exam("CTABD")
    assert codes() == ["CTABD"]
    factories.exam("MRHEAD")
    assert codes() == ["CTABD", "MRHEAD"]
    ExamStep.new(exam=exam, number=1, description="topogram", duration=5)
    assert [step.description for step in catalogue.exams(frozenset({"CTABD"}))[0].steps.all()] == ["topogram"]
    exam.change(active=False)
    assert codes() == ["MRHEAD"]


def test_a_change_made_elsewhere_is_seen_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.exam("CTABD")
    assert codes() == ["CTABD"]
    Exam.objects.update(active=False)  # sends no signal, as a change by another process does not
    now = monotonic() + 2 * catalogue.SECONDS
    monkeypatch.setattr(catalogue, "monotonic", lambda: now)
    assert codes() == []


def test_endless_unknown_codes_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_MOST", 3)
    for number in range(20):
        catalogue.exams(frozenset({str(number)}))
    assert len(catalogue._kept) <= 3


def test_the_default_site_comes_last() -> None:
    Site.objects.update(is_default=False)
    default = factories.site(is_default=True)
    factories.site()
    assert catalogue.sites()[-1] == default
