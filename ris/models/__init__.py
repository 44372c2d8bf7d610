"""The nouns of the department."""

from ris.models.booking import Booking
from ris.models.catalog import Exam, ExamStep, Laterality, ProtocolCode, Site, Station
from ris.models.closure import BulkClosing, Evidence, StepClosure
from ris.models.counter import Counter
from ris.models.event import Event, EventKind
from ris.models.examrows import ExamGap, ExamPreparation, ExamQuestion
from ris.models.order import Attention, Order, Priority, RequestedProcedure
from ris.models.patient import (
    Insurance,
    Patient,
    PatientIdentifier,
    PatientLink,
    PatientMerge,
    PregnancyStatus,
    Sex,
)
from ris.models.performed import LinkedBy, PerformedLink, PerformedProcedureStep
from ris.models.resource import (
    Block,
    BlockKind,
    Closure,
    ClosureKind,
    ExamNeed,
    OpeningHours,
    Resource,
    ResourceKind,
)
from ris.models.screening import CLOSED, Effect, GateOverride, ScreeningAnswer, ScreeningRule, Tells, Topic
from ris.models.step import Gate, ScheduledProcedureStep
from ris.models.upload import CatalogueUpload
from ris.models.user import User
from ris.models.visit import Visit, VisitState
from ris.models.waiting_list import OfferState, SlotOffer, WaitingListEntry, WaitingState

__all__ = [
    "CLOSED",
    "Attention",
    "Block",
    "BlockKind",
    "Booking",
    "BulkClosing",
    "CatalogueUpload",
    "Closure",
    "ClosureKind",
    "Counter",
    "Effect",
    "Event",
    "EventKind",
    "Evidence",
    "Exam",
    "ExamGap",
    "ExamNeed",
    "ExamPreparation",
    "ExamQuestion",
    "ExamStep",
    "Gate",
    "GateOverride",
    "Insurance",
    "Laterality",
    "LinkedBy",
    "OfferState",
    "OpeningHours",
    "Order",
    "Patient",
    "PatientIdentifier",
    "PatientLink",
    "PatientMerge",
    "PerformedLink",
    "PerformedProcedureStep",
    "PregnancyStatus",
    "Priority",
    "ProtocolCode",
    "RequestedProcedure",
    "Resource",
    "ResourceKind",
    "ScheduledProcedureStep",
    "ScreeningAnswer",
    "ScreeningRule",
    "Sex",
    "Site",
    "SlotOffer",
    "Station",
    "StepClosure",
    "Tells",
    "Topic",
    "User",
    "Visit",
    "VisitState",
    "WaitingListEntry",
    "WaitingState",
]
