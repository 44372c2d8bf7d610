"""Where and when a step fits: the place with all that it needs, or the reasons in words why it does not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from ris.actions import catalogue
from ris.actions.calendars import Calendars, Claim, claim_of, clock
from ris.actions.exam_rules import ExamRules
from ris.models import (
    Booking,
    Exam,
    ExamNeed,
    RequestedProcedure,
    Resource,
    ResourceKind,
    ScheduledProcedureStep,
    Site,
    Station,
)
from ris.models.step import end_of
from ris.states import StepState

_LOOK_AHEAD = timedelta(days=7)
"""How far a reason looks for when a closed place opens again."""


@dataclass(frozen=True)
class Wish:
    """What a place is looked for: one step of a procedure. minutes: its whole duration. needs: besides the scanner."""

    procedure: RequestedProcedure
    modality: str
    minutes: int
    needs: Sequence[ExamNeed] = ()
    claim: Claim = field(default_factory=Claim)
    step: ScheduledProcedureStep | None = None

    @property
    def patient_id(self) -> int:
        """Return the key of the patient."""
        return self.procedure.order.patient_id


Rule = Callable[[Station, datetime], Iterable[str]]
"""From a station and a start to the reasons why a wish must not go there then."""

rules: list[Callable[[Wish], Rule]] = []
"""What makes the rules of a wish, reading once what they need. A person's booking and the slot finder keep them."""


def rules_of(wish: Wish) -> list[Rule]:
    """Return what speaks against a station and a start: the rules of the exam, and those that others have added."""
    made = [make(wish) for make in rules]
    exam = wish.procedure.exam
    if exam is not None:
        known = ExamRules(exam, wish.procedure.order.patient, besides=wish.procedure)
        made.append(lambda station, start: known.against(start, station=station))
    return made


@dataclass(frozen=True)
class Place:
    """One station at one time. resources: what meets the needs there. reasons: why it does not fit, best first.

    taken, shut: among the reasons is that somebody has it already, that something is closed or is not there.
    """

    station: Station
    start: datetime
    end: datetime
    resources: tuple[Resource, ...] = ()
    reasons: tuple[str, ...] = ()
    taken: bool = field(default=False, compare=False)
    shut: bool = field(default=False, compare=False)


def wish_of(step: ScheduledProcedureStep, *, minutes: int | None = None) -> Wish:
    """Return what a step wishes for; its procedure, exam, order and visit should be at hand."""
    procedure = step.requested_procedure
    return Wish(
        procedure,
        step.modality,
        minutes or step.duration,
        needs_of(procedure.exam, number_of(step)),
        claim_of(procedure),
        step,
    )


def needs_of(exam: Exam | None, number: int | Callable[[], int]) -> Sequence[ExamNeed]:
    """Return what the step of an exam with this number needs; nothing is read for an exam without needs."""
    rows = catalogue.needs().get(exam.pk, ()) if exam else ()
    if not rows:
        return ()
    number = number() if callable(number) else number
    return [row for row in rows if row.step_number == number]


def number_of(step: ScheduledProcedureStep) -> Callable[[], int]:
    """Return how to find which step of its procedure a step is."""

    def count() -> int:
        before = ScheduledProcedureStep.objects.filter(requested_procedure=step.requested_procedure_id, pk__lt=step.pk)
        return 1 + before.exclude(state=StepState.CANCELED).count()

    return count


def stations_for(*, modality: str, exam: Exam | None, site: Site | None) -> list[Station]:
    """Return the stations in use that may do it, those that are filled first in front. site: None means at any."""
    stations = Station.objects.active().filter(modality=modality).select_related("site")
    if exam is not None and exam.stations.exists():
        stations = stations.filter(exams=exam)
    if site is not None:
        stations = stations.filter(site=site)
    return list(stations.order_by("rank", "ae_title"))


class Timetable:
    """What is free at some stations between two moments: calendars and bookings, read once."""

    def __init__(
        self,
        wish: Wish,
        stations: Sequence[Station],
        since: datetime,
        until: datetime,
        *,
        locked: bool = False,
        ruled: bool = True,
    ) -> None:
        """Read. locked: keep the resources from being booked by other people until the end of the transaction.

        ruled: the rules of the exam count.
        """
        self.wish = wish
        pairs = [(wish, station) for station in stations]
        self.resources = lock(pairs) if locked else list(resources_for(pairs))
        self.scanners = {row.station_id: row for row in self.resources if row.kind == "SCANNER"}
        self.calendars = Calendars(self.resources, since, until + _LOOK_AHEAD)
        bookings = Booking.objects.active().overlapping(since, until)
        bookings = bookings.filter(Q(resource__in=self.resources) | Q(patient=wish.patient_id))
        if wish.step is not None:
            bookings = bookings.exclude(step=wish.step)
        self.bookings = list(bookings.order_by("start", "pk"))
        self.rules = rules_of(wish) if ruled else []

    def place(self, station: Station, start: datetime) -> Place:
        """Return the place of the wish at a station and time: fit where it has no reasons against it."""
        end = end_of(start, self.wish.minutes)
        scanner = self.scanners.get(station.pk)
        if scanner is None:
            return Place(station, start, end, reasons=(_("%s is not in use") % station.name,))
        reasons = [text for text in (self._closed(scanner, start, end), self._taken(scanner, start, end)) if text]
        taken = self._is_taken(scanner, start, end)
        resources: list[Resource] = []
        for need in self.wish.needs:
            found, text = self._meet(need, station, start, end, resources)
            resources += [found] if found else []
            reasons += [text] if text else []
        busy = self._patient_busy(station, start, end)
        reasons += [busy] if busy else []
        shut = bool(reasons)
        reasons += [text for rule in self.rules for text in rule(station, start)]
        return Place(station, start, end, tuple(resources), tuple(reasons), taken or bool(busy), shut)

    def _meet(
        self, need: ExamNeed, station: Station, start: datetime, end: datetime, picked: Sequence[Resource]
    ) -> tuple[Resource | None, str]:
        """Return what meets a need at a station, free where there is one, and why not where none is."""
        fits = [row for row in self.resources if need.is_met_by(row, station) and row not in picked]
        fits.sort(key=lambda row: (row.station_id is None, row.name))
        if not fits:
            return None, _("%(station)s has no %(what)s") % {"station": station.name, "what": need}
        why = ""
        for row in fits:
            text = self._closed(row, start, end) or self._taken(row, start, end)
            if not text:
                return row, ""
            why = why or text
        if len(fits) > 1:
            why = _("no %(what)s is free") % {"what": need}
        return fits[0], why

    def _closed(self, resource: Resource, start: datetime, end: datetime) -> str:
        return self.calendars.why_not(resource, start, end, self.wish.claim)

    def _is_taken(self, resource: Resource, start: datetime, end: datetime) -> bool:
        return any(self._of(resource.pk, None, start, end))

    def _taken(self, resource: Resource, start: datetime, end: datetime) -> str:
        ends = [booking.end for booking in self._of(resource.pk, None, start, end)]
        if not ends:
            return ""
        until = clock(max(ends), start, resource.site.zone)
        return _("%(name)s is taken until %(time)s") % {"name": resource, "time": until}

    def _patient_busy(self, station: Station, start: datetime, end: datetime) -> str:
        ends = [booking.end for booking in self._of(None, self.wish.patient_id, start, end)]
        if not ends:
            return ""
        return _("The patient has another exam until %s") % clock(max(ends), start, station.site.zone)

    def _of(self, resource: int | None, patient: int | None, start: datetime, end: datetime) -> Iterable[Booking]:
        return (
            booking
            for booking in self.bookings
            if booking.resource_id == resource
            and booking.patient_id == patient
            and booking.start < end
            and booking.end > start
        )


def resources_for(pairs: Iterable[tuple[Wish, Station]]) -> QuerySet[Resource]:
    """Return the scanners of stations, and what may meet the needs of wishes there, by key, with their sites."""
    wanted = Q(pk__in=())
    for wish, station in pairs:
        wanted |= Q(kind=ResourceKind.SCANNER, station=station)
        for need in wish.needs:
            wanted |= Q(kind=need.kind, site=station.site_id)
    return Resource.objects.usable().filter(wanted).select_related("site").order_by("pk")


def lock(pairs: Iterable[tuple[Wish, Station]]) -> list[Resource]:
    """Return the same, locked until the end of the transaction.

    Resources are locked in the order of their keys, after the orders, so that no two wait for each other.
    """
    return list(resources_for(pairs).select_for_update(of=("self",), no_key=True))
