"""The rows of the HL7 door: who sends, every message that came, and what an order control means."""

from hl7.models.endpoint import Endpoint
from hl7.models.message import APPLIED_STATES, InboundMessage, MessageState
from hl7.models.order_control import OrderControl

__all__ = ["APPLIED_STATES", "Endpoint", "InboundMessage", "MessageState", "OrderControl"]
