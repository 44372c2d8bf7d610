"""Answers to orders that say what became of each: ORR^O02, ORG^O20, ORI^O24 (HL7 v2.5.1 sections 4.4.2, 4.4.5, 4.4.7).

They take the place of the general acknowledgment ACK where the sender asks for one (MSH-16), where its endpoint says
so, and where an order control asks for an answer that ACK cannot carry (SN, SS).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import Prefetch
from django.utils import timezone

from hl7 import ack
from hl7.ack import Body, Header, Wanted
from hl7.controls import Action
from hl7.escapes import escape
from hl7.handlers.order_case import Done
from hl7.handlers.order_groups import Group, order_groups
from hl7.message import Message
from ris.models import Order, RequestedProcedure, ScheduledProcedureStep
from ris.states import OrderState, StepState

KINDS: dict[str, tuple[str, str, str]] = {
    "ORM": ("ORR", "O02", "ORR_O02"),
    "OMG": ("ORG", "O20", "ORG_O20"),
    "OMI": ("ORI", "O24", "ORI_O24"),
}
"""MSH-9.1 of an order -> MSH-9 of its answer."""


@dataclass(frozen=True)
class Codes:
    """ORC-1 of the answer: what was asked is done, or was refused."""

    done: str = "OK"
    refused: str = "UA"


CODES: dict[str, Codes] = {
    "NW": Codes("OK", "UA"),
    "XO": Codes("XR", "UX"),
    "CA": Codes("CR", "UC"),
    "DC": Codes("DR", "UD"),
    "HD": Codes("HR", "UH"),
    "RL": Codes("OR", "UR"),
    "RP": Codes("RQ", "UM"),
    "RU": Codes("RQ", "UM"),
    "RO": Codes("RO", "UM"),
    "SN": Codes("NA", "UA"),
    "SS": Codes("SR", "UA"),
    "PA": Codes("PA", "UA"),
    "CH": Codes("CH", "UA"),
}
"""ORC-1 of the order (table 0119) -> ORC-1 of the answer; of any other it is OK or UA."""

STATUSES: dict[str, str] = {
    OrderState.REQUESTED: "",
    OrderState.SCHEDULED: "SC",
    OrderState.IN_PROGRESS: "IP",
    OrderState.COMPLETED: "CM",
    OrderState.CANCELED: "CA",
    OrderState.DISCONTINUED: "DC",
    OrderState.NO_SHOW: "",
}
"""State of an order -> ORC-5 (table 0038); empty: it waits for a time."""
ON_HOLD, REPLACED = "HD", "RP"
"""ORC-5 of an order that is on hold, and of one that another one has replaced."""

_ASKING = (Action.SEND_NUMBER, Action.STATUS)
_TIMING_SEGMENT = ("ORG", "ORI")
_TIMING_SEGMENT_FROM = (2, 5)


def header_of(message: Message) -> Header:
    """Return what the answer needs of MSH; an order whose endpoint wants answers asks for one, unless it says never."""
    header = ack.header_of(message)
    if header.accept and not header.application and message.dialect.application_replies and _kind(message):
        return replace(header, application=Wanted.ALWAYS)
    return header


def of_done(message: Message, done: Sequence[Done]) -> Body | None:
    """Return the body of the answer to orders that were applied; None where ACK will do."""
    kind = _kind(message)
    if kind is None or not (_asked(message) or any(one.action in _ASKING for one in done)):
        return None
    orders = _orders(one.order.pk for one in done if one.order is not None)
    writer = _Writer(message, kind[0])
    for one in done:
        code = CODES.get(one.group.control, Codes()).done
        if one.order is not None:
            writer.add(one.group, code, orders[one.order.pk])
        else:
            writer.echo(one.group, code)
    return Body(kind, tuple(writer.lines))


def of_refused(message: Message) -> Body | None:
    """Return the body of the answer to orders none of which was applied; None where ACK will do."""
    kind = _kind(message)
    if kind is None or not _asked(message):
        return None
    writer = _Writer(message, kind[0])
    for group in order_groups(message):
        writer.echo(group, CODES.get(group.control, Codes()).refused)
    return Body(kind, tuple(writer.lines))


def _kind(message: Message) -> tuple[str, str, str] | None:
    return KINDS.get((message["MSH"].get("9.1") or "").upper())


def _asked(message: Message) -> bool:
    return message.dialect.application_replies or bool(message["MSH"].get("16"))


def _orders(keys: Iterable[int]) -> dict[int, Order]:
    """Read the orders as they are now, with what an answer tells of them."""
    steps = ScheduledProcedureStep.objects.select_related("station").exclude(state=StepState.CANCELED).order_by("pk")
    procedures = RequestedProcedure.objects.order_by("pk").prefetch_related(Prefetch("steps", steps))
    rows = Order.objects.filter(pk__in=set(keys)).select_related("site")
    return {order.pk: order for order in rows.prefetch_related(Prefetch("procedures", procedures))}


class _Writer:
    """Writes the segments of the orders of one answer."""

    def __init__(self, message: Message, kind: str) -> None:
        self.marks = message.delimiters
        self.kind = kind
        version = ack.version_numbers(ack.nearest_version(message["MSH"].get("12.1") or ""))
        self.timing_segment = kind in _TIMING_SEGMENT and version >= _TIMING_SEGMENT_FROM
        self.lines: list[str] = []

    def add(self, group: Group, code: str, order: Order) -> None:
        """Write ORC with what belongs to it, once for each procedure."""
        for procedure in order.procedures.all():
            steps = list(procedure.steps.all())
            self._orc(group, code, order, steps)
            self._obr(group, order, procedure, steps)
            for step in steps if self.kind == "ORI" else ():
                self._ipc(order, procedure, step)

    def echo(self, group: Group, code: str) -> None:
        """Write of an order that is not known here what was sent: ORI needs more than that, and ORR an OBR."""
        if self.kind == "ORI":
            return
        for detail in group.details[:1]:
            self._write("ORC", {1: code, 2: _sent(group, 2), 3: _sent(group, 3)})
            self._write("OBR", {1: "1", **{number: detail.obr.field(number) for number in (2, 3, 4)}})

    def _orc(self, group: Group, code: str, order: Order, steps: list[ScheduledProcedureStep]) -> None:
        start = self._start(order, steps)
        orc = {
            1: code,
            2: self._placer(group, order),
            3: self._number(*order.filler_number),
            5: _status(order),
        }
        if start and not self.timing_segment:
            orc[7] = self.marks.component.join(["1", "", "", start])
        self._write("ORC", orc)
        if start and self.timing_segment:
            self._write("TQ1", {1: "1", 7: start})

    def _obr(
        self, group: Group, order: Order, procedure: RequestedProcedure, steps: list[ScheduledProcedureStep]
    ) -> None:
        code = (procedure.code, procedure.meaning, procedure.coding_scheme)
        self._write(
            "OBR",
            {
                1: "1",
                2: self._placer(group, order),
                3: self._number(*order.filler_number),
                4: self._joined(*code),
                18: self._text(order.accession_number),
                19: self._text(procedure.requested_procedure_id),
                20: self._text(steps[0].sps_id) if steps else "",
                24: self._text(steps[0].modality) if steps else "",
            },
        )

    def _ipc(self, order: Order, procedure: RequestedProcedure, step: ScheduledProcedureStep) -> None:
        station = step.station
        codes = (self._joined(code["code"], code["meaning"], code["coding_scheme"]) for code in step.protocol_codes)
        self._write(
            "IPC",
            {
                1: self._text(order.accession_number),
                2: self._text(procedure.requested_procedure_id),
                3: self._text(procedure.study_instance_uid),
                4: self._text(step.sps_id),
                5: self._text(step.modality),
                6: self.marks.repetition.join(codes),
                7: self._text(station.name) if station else "",
                8: self._text(station.location) if station else "",
                9: self._text(station.ae_title) if station else "",
            },
        )

    def _placer(self, group: Group, order: Order) -> str:
        """Return the placer's number as it was sent, else as it is known here."""
        return _sent(group, 2) or self._number(order.placer_order_number, order.placer_issuer)

    def _number(self, number: str, issuer: str) -> str:
        return self._joined(number, issuer) if issuer else self._text(number)

    def _start(self, order: Order, steps: list[ScheduledProcedureStep]) -> str:
        start = next((step.start for step in steps if step.start is not None), None)
        if start is None:
            return ""
        return timezone.localtime(start, order.site.zone).strftime("%Y%m%d%H%M%S%z")

    def _joined(self, *parts: str) -> str:
        return self.marks.component.join(map(self._text, parts)).rstrip(self.marks.component)

    def _text(self, value: str) -> str:
        return escape(value, self.marks)

    def _write(self, name: str, fields: dict[int, str]) -> None:
        last = max((number for number, text in fields.items() if text), default=0)
        self.lines.append(self.marks.field.join([name, *(fields.get(n, "") for n in range(1, last + 1))]))


def _sent(group: Group, number: int) -> str:
    """Return an order number as it was sent, whole: in ORC, else in the first OBR."""
    return group.orc.field(number) or next((detail.obr.field(number) for detail in group.details[:1]), "")


def _status(order: Order) -> str:
    if order.replaced_by_id is not None:
        return REPLACED
    return ON_HOLD if order.on_hold else STATUSES[order.state]
