"""Numbers of procedures and steps: those that a sender brought along, where they can be used, else our own."""

from ris import identifiers
from ris.actions.requests import ProcedureRequest
from ris.identifiers import Series
from ris.models import Attention, Order, RequestedProcedure, ScheduledProcedureStep


def requested_procedure_id(request: ProcedureRequest, marks: list[Attention]) -> str:
    """Return the procedure ID that came along if it is free and not of our own form, else a new one."""
    wanted = request.requested_procedure_id
    if wanted:
        taken = RequestedProcedure.objects.filter(requested_procedure_id=wanted)
        if identifiers.may_keep(Series.REQUESTED_PROCEDURE, wanted) and not taken.exists():
            return wanted
        marks.append(Attention.NUMBER_TAKEN)
    return identifiers.mint_requested_procedure_id()


def sps_id(wanted: str | None, marks: list[Attention]) -> str:
    """Return the step ID that came along if it is free and not of our own form, else a new one."""
    if wanted:
        taken = ScheduledProcedureStep.objects.filter(sps_id=wanted)
        if identifiers.may_keep(Series.STEP, wanted) and not taken.exists():
            return wanted
        marks.append(Attention.NUMBER_TAKEN)
    return identifiers.mint_sps_id()


def study_instance_uid(order: Order, request: ProcedureRequest, marks: list[Attention]) -> str:
    """Return the UID that came along if it is valid and belongs to no other order, else a new one."""
    wanted = request.study_instance_uid
    if wanted:
        taken = RequestedProcedure.objects.filter(study_instance_uid=wanted).exclude(order=order).exists()
        if identifiers.is_uid(wanted) and not taken:
            return wanted
        marks.append(Attention.STUDY_UID_TAKEN)
    return identifiers.mint_study_instance_uid()
