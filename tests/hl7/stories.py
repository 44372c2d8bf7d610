"""What the stories of this directory are told with."""

from collections.abc import Callable

from hl7.message import Message
from hl7.models import InboundMessage

Send = Callable[[bytes], Message]
Accepted = Callable[[bytes], InboundMessage]
Refused = Callable[[bytes], tuple[str | None, str | None, str]]
