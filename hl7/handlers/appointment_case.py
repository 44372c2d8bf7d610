"""One scheduling message, and the order and steps that it is about."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from hl7 import values
from hl7.ack import Condition, Place, Problem
from hl7.handlers import people
from hl7.handlers.appointment_groups import Service, notes, services
from hl7.handlers.refusals import refusals
from hl7.handlers.sites import zone_of
from hl7.mapping import Filled
from hl7.message import NULL, Message
from hl7.undone import Undone
from hl7.values import FieldError
from ris.actions import schedule
from ris.actor import Actor
from ris.errors import DuplicateOrder, UnknownOrder
from ris.models import Order, ScheduledProcedureStep, Station
from ris.states import OPEN, StepState

Number = tuple[str, str]
_NONE: Number = ("", "")
_STANDING = OPEN | {StepState.NO_SHOW}


@dataclass(slots=True)
class Case:
    """One scheduling message."""

    message: Message
    by: Actor
    warnings: list[str]
    zone: ZoneInfo
    services: list[Service]
    notes: list[str]
    appointment: Number = _NONE
    order: Order | None = None
    steps: list[ScheduledProcedureStep] = field(default_factory=list)

    @classmethod
    def of(cls, message: Message, by: Actor, warnings: list[str]) -> "Case":
        """Read the message and find the steps that it is about; raises FieldError when SCH is missing."""
        if not message["SCH"]:
            raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "The message has no SCH segment.", Place("SCH")))
        case = cls(message, by, warnings, zone_of(message), services(message), notes(message))
        case.appointment = case.number("1") if case.number("1")[0] else case.number("2")
        case.order = case._find_order()
        case.read_steps()
        return case

    def read_steps(self) -> None:
        """Find the steps of the appointment, else of its order."""
        steps = ScheduledProcedureStep.objects.filter(state__in=_STANDING).select_related(
            "station", "requested_procedure__order"
        )
        if self.appointment[0]:
            self.steps = list(steps.of_appointment(*self.appointment).order_by("pk"))
        if not self.steps and self.order is not None:
            self.steps = list(steps.filter(requested_procedure__order=self.order).order_by("pk"))
        if self.order is None and self.steps:
            self.order = self.steps[0].requested_procedure.order

    def read_order_steps(self) -> None:
        """Find the steps of the order anew: some of them were made with this message."""
        steps = ScheduledProcedureStep.objects.filter(state__in=_STANDING, requested_procedure__order=self.order)
        self.steps = list(steps.select_related("station", "requested_procedure__order").order_by("pk"))

    @property
    def is_ordered_by_appointment(self) -> bool:
        """Whether the order came with this appointment: it has its number."""
        order = self.order
        return order is not None and (order.placer_order_number, order.placer_issuer) == self.appointment

    def number(self, path: str) -> Number:
        """Return a number (EI) of SCH and its issuer, the sender where none is named."""
        sch = self.message["SCH"]
        value, namespace, universal = (_said(sch.get(f"{path}.{part}")) for part in (1, 2, 3))
        return (value, (namespace or universal or _said(self.message["MSH"].get("3.1")))[:64]) if value else _NONE

    def _find_order(self) -> Order | None:
        """Return the order of SCH-26 (placer) or SCH-27 (filler or accession number)."""
        placer, filler = self.number("26"), self.number("27")
        found = None
        if placer[0]:
            found = Order.objects.placed_as(placer[1], placer[0]).first()
        if found is None and filler[0]:
            found = Order.objects.filter(filler_order_number=filler[0], filler_issuer=filler[1]).first()
            found = found or Order.objects.filter(accession_number=filler[0]).first()
        return found

    @property
    def names_order(self) -> bool:
        """Whether SCH names an order."""
        return bool(self.number("26")[0] or self.number("27")[0])

    @property
    def place(self) -> Place:
        """Where the message says what it is about."""
        named = next((path for path in ("26", "27", "1", "2") if self.number(path)[0]), "1")
        return values.place(self.message["SCH"], named)

    def known_steps(self) -> list[ScheduledProcedureStep]:
        """Return the steps meant; raises FieldError when there are none, or when they are another patient's."""
        with refusals({}, self.place):
            if not self.steps or self.order is None:
                raise UnknownOrder("No appointment and no order has this number, or nothing of it is open.")
            wanted = people.identifiers(self.message["PID"], 3, 2, 4)
            row = people.look_up(wanted).row() if wanted else None
            if wanted and (row is None or row.patient.survivor().pk != self.order.patient_id):
                raise DuplicateOrder
        return self.steps

    def read(self, service: Service) -> Filled:
        """Return start, minutes, end and reason of a service."""
        return service.read(self.message, self.zone, self.warnings)

    def reason(self) -> str:
        """Return SCH-6, else SCH-7."""
        return str(self.read(Service()).values.get("reason", ""))

    def station(self, service: Service) -> Station | None:
        """Return the station that AIG-3 or AIL-3 names; a warning where none of the names is one."""
        names = service.names()
        found = next((station for name in names if (station := schedule.station_named(name))), None)
        if names and found is None:
            text = "AIG-3, AIL-3: no station in use has this name, so it does not count"
            self.warnings.append(Undone(Condition.UNKNOWN_KEY, text, service.named_at()))
        return found

    def miss(self, service: Service, what: str) -> None:
        """Warn of a service for which there is no exam."""
        place = values.place(service.ais, "3") if service.ais is not None else Place("AIS", field=3)
        self.warnings.append(Undone(Condition.UNKNOWN_KEY, f"{place}: {what}", place))


def _said(value: str | None) -> str:
    return value if value and value is not NULL else ""
