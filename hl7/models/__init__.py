"""The rows of the HL7 door: who sends, every message that came, what an order control means, what is sent again."""

from hl7.models.agreement import CodeTranslation, FieldSource
from hl7.models.endpoint import Endpoint
from hl7.models.inbox import Chosen, Hold, MessageText, Replay, ReplayItem
from hl7.models.message import APPLIED_STATES, OPEN_STATES, InboundMessage, MessageState
from hl7.models.order_control import OrderControl

__all__ = [
    "APPLIED_STATES",
    "OPEN_STATES",
    "Chosen",
    "CodeTranslation",
    "Endpoint",
    "FieldSource",
    "Hold",
    "InboundMessage",
    "MessageState",
    "MessageText",
    "OrderControl",
    "Replay",
    "ReplayItem",
]
