"""Read the catalogue as every message needs it, kept in memory for a second.

A change made by this process is seen at once, one made by another process a second later at most. Nothing is decided
from here that must be right to the moment: whether a station is in use and free is asked in choose_station.
"""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, TypeVar, cast

from django.db.models.signals import m2m_changed, post_delete, post_save

from ris.models import Exam, ExamGap, ExamNeed, ExamStep, ProtocolCode, ScreeningRule, Site

SECONDS = 1.0
_MOST = 2000  # entries; a sender of endless unknown codes must not fill the memory

_kept: dict[Hashable, tuple[float, Any]] = {}
_Read = TypeVar("_Read")


def sites() -> list[Site]:
    """Return all sites: the default one last, else the oldest last."""
    return remembered("sites", lambda: list(Site.objects.order_by("is_default", "-pk")))


def exams(codes: frozenset[str]) -> list[Exam]:
    """Return the exams in use with one of these codes, with their steps and protocol codes, the oldest first."""
    return remembered(codes, lambda: _exams(codes)) if codes else []


def _exams(codes: frozenset[str]) -> list[Exam]:
    found = Exam.objects.in_use().filter(code__in=codes).prefetch_related("steps", "protocol_codes")
    return list(found.order_by("pk"))


def needs() -> dict[int, list[ExamNeed]]:
    """Return what the steps of exams need besides their scanner, by the key of the exam."""
    return remembered("needs", _needs)


def _needs() -> dict[int, list[ExamNeed]]:
    found: dict[int, list[ExamNeed]] = {}
    for row in ExamNeed.objects.order_by("exam", "step_number", "pk"):
        found.setdefault(row.exam_id, []).append(row)
    return found


def gaps() -> list[ExamGap]:
    """Return which exams are to be kept apart."""
    return remembered("gaps", lambda: list(ExamGap.objects.order_by("pk")))


def remembered(key: Hashable, read: Callable[[], _Read]) -> _Read:
    """Return what `read` returned within the last SECONDS for this key, else what it returns now."""
    now = monotonic()
    until, known = _kept.get(key, (0.0, None))
    if until >= now:
        return cast(_Read, known)
    value = read()
    if len(_kept) >= _MOST:
        _kept.clear()
    _kept[key] = now + SECONDS, value
    return value


def forget(**_: Any) -> None:
    """Read everything anew: something was changed, or what was kept turned out to be wrong."""
    _kept.clear()


for _model in (Site, Exam, ExamGap, ExamNeed, ExamStep, ProtocolCode, ScreeningRule):
    for _signal in (post_save, post_delete):
        _signal.connect(forget, sender=_model, dispatch_uid=f"catalogue {_model.__name__}")
m2m_changed.connect(forget, sender=Exam.stations.through, dispatch_uid="catalogue stations")
