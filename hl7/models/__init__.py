"""The rows of the HL7 door: who sends, and every message that came."""

from hl7.models.endpoint import Endpoint
from hl7.models.message import APPLIED_STATES, InboundMessage, MessageState

__all__ = ["APPLIED_STATES", "Endpoint", "InboundMessage", "MessageState"]
