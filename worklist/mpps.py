"""The MPPS service as a plain function from a request to its answer (PS3.4 sections F.7 and F.8): no socket here.

A request is one transaction: the performed step, the scheduled steps and orders that follow it, their events, and the
request as it came. An answer of success leaves after that is committed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from django.db import Error as DatabaseError
from django.db import OperationalError, transaction
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom.dsutils import encode as encode_data_set

from ris.actions import performed as steps
from ris.actor import Actor, ActorKind
from ris.errors import (
    DomainError,
    DuplicatePerformedStep,
    InvalidValue,
    PerformedStepEnded,
    SlotTaken,
    UnknownPerformedStep,
)
from ris.identifiers import is_uid, mint_study_instance_uid
from ris.models import Event, EventKind, PerformedProcedureStep
from ris.states import PerformedState
from worklist import forwarding
from worklist.charsets import UTF_8
from worklist.dimse import Command
from worklist.encoding import decode, syntax_of
from worklist.errors import QueryError
from worklist.models import MppsRequest
from worklist.mpps_rules import (
    ATTRIBUTES_NOT_SUPPORTED,
    CLASS_INSTANCE_CONFLICT,
    CLASS_NOT_SUPPORTED,
    DUPLICATE_INSTANCE,
    INVALID_INSTANCE,
    INVALID_VALUE,
    MAY_NO_LONGER_BE_UPDATED,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    RESOURCE_LIMITATION,
    SUCCESS,
    TOP,
    UNRECOGNIZED_OPERATION,
    Refusal,
    check_creation,
    check_end,
    check_update,
)
from worklist.mpps_values import as_json, course, identity, zone_of
from worklist.negotiation import PERFORMED_STEP, PERFORMED_STEP_RETRIEVE
from worklist.query import Caller

log = logging.getLogger(__name__)

OPERATIONS: dict[int, frozenset[str]] = {
    Command.N_CREATE: frozenset({PERFORMED_STEP}),
    Command.N_SET: frozenset({PERFORMED_STEP}),
    Command.N_GET: frozenset({PERFORMED_STEP, PERFORMED_STEP_RETRIEVE}),
}
"""Operation -> the presentation contexts in which it is done."""
NAMES = {Command.N_CREATE: MppsRequest.Operation.CREATE, Command.N_SET: MppsRequest.Operation.SET}
ATTEMPTS = 3
_CONFLICTS = {"40001", "40P01", "55P03"}
"""What PostgreSQL reports when another transaction was in the way: tried again."""


@dataclass(frozen=True)
class Operation:
    """One request. data: its data set in `transfer_syntax`; tags: what an N-GET asks for, none for everything.

    by: the person who asks, where it is not a device.
    """

    command: int
    abstract_syntax: str
    sop_class: str
    sop_instance_uid: str
    transfer_syntax: str
    caller: Caller
    data: bytes = b""
    tags: tuple[int, ...] = ()
    by: Actor | None = None


@dataclass(frozen=True)
class Outcome:
    """The answer. tags: attributes at fault; data: the data set of an N-GET's answer."""

    status: int
    sop_instance_uid: str = ""
    comment: str = ""
    tags: tuple[int, ...] = ()
    error_id: int | None = None
    data: bytes | None = None


def handle(operation: Operation) -> Outcome:
    """Carry out one request and return the answer; never raises. What was refused is kept as well."""
    try:
        _check(operation)
        outcome = _again_on_conflict(partial(_do, operation))
    except Refusal as reason:
        tags = tuple(int(tag) for tag in reason.tags)
        outcome = Outcome(reason.status, operation.sop_instance_uid, reason.comment, tags, reason.error_id)
    except DatabaseError as trouble:
        log.error("MPPS of %a: the database cannot answer (%s)", operation.caller.ae_title, type(trouble).__name__)
        return Outcome(RESOURCE_LIMITATION, operation.sop_instance_uid, "The database cannot be reached, send it again")
    except Exception as fault:
        log.exception("MPPS of %a failed (%s)", operation.caller.ae_title, type(fault).__name__)
        outcome = Outcome(PROCESSING_FAILURE, operation.sop_instance_uid, "Bucky cannot do this")
    if outcome.status not in (SUCCESS, ATTRIBUTES_NOT_SUPPORTED):
        _keep_refused(operation, outcome)
    return outcome


def _check(operation: Operation) -> None:
    """Refuse what cannot be an operation on a performed step, whatever its data set says."""
    contexts = OPERATIONS.get(operation.command)
    if contexts is None:
        raise Refusal(UNRECOGNIZED_OPERATION, "Only N-CREATE, N-SET and N-GET are done here")
    if operation.abstract_syntax not in contexts:
        raise Refusal(UNRECOGNIZED_OPERATION, "Not done in this presentation context")
    if operation.sop_class not in OPERATIONS[Command.N_GET]:
        raise Refusal(CLASS_NOT_SUPPORTED, "Not the SOP class of performed steps")
    if operation.sop_class == PERFORMED_STEP_RETRIEVE and operation.command != Command.N_GET:
        raise Refusal(CLASS_INSTANCE_CONFLICT, "Only N-GET is done in this SOP class")
    uid = operation.sop_instance_uid
    if not is_uid(uid) and (uid or operation.command != Command.N_CREATE):
        raise Refusal(INVALID_INSTANCE, "The SOP Instance UID is not valid")


def _again_on_conflict(work: Callable[[], Outcome]) -> Outcome:
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) not in _CONFLICTS:
                raise
        except SlotTaken:
            log.info("MPPS: a slot was booked in the same moment, trying again")
    return work()


def _do(operation: Operation) -> Outcome:
    by = operation.by or Actor(ActorKind.DICOM, operation.caller.ae_title, address=operation.caller.address)
    if operation.command == Command.N_GET:
        with transaction.atomic():
            return _get(operation, by)
    data_set = _decoded(operation)
    if not operation.sop_instance_uid:  # PS3.7 section 10.1.5.1.4: the performer may give it
        operation = replace(operation, sop_instance_uid=mint_study_instance_uid())
    do = _create if operation.command == Command.N_CREATE else _set
    try:
        with transaction.atomic():
            request = _kept(operation)
            request.performed = do(operation, data_set, by.because(request.cause))
            request.save(update_fields=["performed"])
            forwarding.put(request)
    except SlotTaken:
        raise  # somebody was booked in this very moment: another attempt sees it
    except DomainError as error:
        raise _refusal(error) from None
    return Outcome(SUCCESS, operation.sop_instance_uid)


def _decoded(operation: Operation) -> Dataset:
    try:
        return decode(operation.data, syntax_of(operation.transfer_syntax))
    except QueryError:
        raise Refusal(PROCESSING_FAILURE, "The data set cannot be decoded") from None


def _kept(operation: Operation, status: int = SUCCESS, comment: str = "") -> MppsRequest:
    caller = operation.caller
    return MppsRequest.objects.create(
        operation=NAMES[Command(operation.command)],
        calling_ae_title=caller.ae_title[:16],
        called_ae_title=caller.called_ae_title[:16],
        address=caller.address[:64],
        sop_instance_uid=operation.sop_instance_uid.replace("\0", "")[:64],  # PostgreSQL takes no NUL
        transfer_syntax=operation.transfer_syntax[:64],
        data=operation.data,
        status=f"{status:04X}",
        comment=comment,
    )


def _create(operation: Operation, data_set: Dataset, by: Actor) -> PerformedProcedureStep:
    doubts = check_creation(data_set)
    fixed = identity(data_set)
    columns, unclear = course(data_set, zone_of(fixed["station_ae_title"]))
    content, unreadable = as_json(data_set)
    return steps.begin(
        by=by,
        sop_instance_uid=operation.sop_instance_uid,
        content=content,
        doubts=doubts + unclear + unreadable,
        **fixed,
        **columns,
    )


def _set(operation: Operation, data_set: Dataset, by: Actor) -> PerformedProcedureStep:
    """Lay what is said now over what was said before; a sequence replaces the whole sequence."""
    performed = steps.lock(operation.sop_instance_uid)
    state, doubts = check_update(data_set)
    said, unreadable = as_json(data_set)
    allowed = {key: value for key, value in said.items() if int(key, 16) not in TOP or TOP[Tag(key)].set != "-"}
    content = {**performed.content, **allowed}
    whole = Dataset.from_json(content)
    columns, unclear = course(whole, zone_of(performed.station_ae_title))
    if performed.state == PerformedState.IN_PROGRESS != (state or performed.state):
        doubts += check_end(state, whole)
    kept = [*performed.doubts, *doubts, *unclear, *unreadable]
    return steps.update(
        by=by, performed=performed, state=state, content=content, doubts=list(dict.fromkeys(kept)), **columns
    )


def _get(operation: Operation, by: Actor) -> Outcome:
    """Return what is known of a performed step; an attribute that was asked for and is not known is empty."""
    performed = PerformedProcedureStep.objects.filter(sop_instance_uid=operation.sop_instance_uid).first()
    if performed is None:
        raise _refusal(UnknownPerformedStep())
    known = Dataset.from_json(performed.content)
    status = SUCCESS
    if operation.tags:
        asked = Dataset()
        for tag in map(Tag, operation.tags):
            if tag in known:
                asked[tag] = known[tag]
            elif tag in TOP:
                setattr(asked, TOP[tag].keyword, None)
            else:
                status = ATTRIBUTES_NOT_SUPPORTED
        known = asked
    known.SpecificCharacterSet = UTF_8
    syntax = syntax_of(operation.transfer_syntax)
    data = encode_data_set(known, syntax.implicit, syntax.little, syntax.deflated)
    if data is None:
        raise Refusal(PROCESSING_FAILURE, "The answer cannot be encoded")
    subject = f"ris.performedprocedurestep:{performed.pk}"
    Event.objects.record(EventKind.RECORD_VIEWED, by=by, subject=subject)
    return Outcome(status, operation.sop_instance_uid, data=data)


REFUSALS: dict[type[DomainError], tuple[int, int | None]] = {
    UnknownPerformedStep: (NO_SUCH_INSTANCE, None),
    DuplicatePerformedStep: (DUPLICATE_INSTANCE, None),
    PerformedStepEnded: (PROCESSING_FAILURE, MAY_NO_LONGER_BE_UPDATED),
    InvalidValue: (INVALID_VALUE, None),
}
"""What the domain refuses -> status and error ID."""
COMMENTS: dict[type[DomainError], str] = {
    PerformedStepEnded: "Performed Procedure Step Object may no longer be updated",  # PS3.4 table F.7.2-2
    DuplicatePerformedStep: "This SOP Instance UID is there already",
}
"""Error Comments where the domain's own sentence does not fit into 64 characters, or the standard has one."""


def _refusal(error: DomainError) -> Refusal:
    status, error_id = REFUSALS.get(type(error), (PROCESSING_FAILURE, None))
    return Refusal(status, COMMENTS.get(type(error), error.message), error_id=error_id)


def _keep_refused(operation: Operation, outcome: Outcome) -> None:
    """Keep a request that was not carried out, so that a person can see what a scanner tried to tell."""
    log.warning("MPPS of %a refused: %04X %s", operation.caller.ae_title, outcome.status, outcome.comment)
    if operation.command not in NAMES:
        return
    try:
        _kept(operation, outcome.status, outcome.comment)
    except DatabaseError as trouble:
        log.error("the refused MPPS request cannot be kept (%s)", type(trouble).__name__)
