"""What the sender's endpoint does not take, or not without a person, whatever the message says."""

from hl7.ack import Condition, Place, Problem
from hl7.dialect import ANY_PROCESSING_ID, PRODUCTION, CharsetPolicy
from hl7.handlers.unsupported import Undecided, Unsupported
from hl7.message import Message


def check_header(message: Message) -> None:
    """Raise Unsupported for a processing ID (MSH-11) or a version (MSH-12) that is not taken from this sender.

    The same for a text in a character set (MSH-18) that nothing here can read.

    Raise Undecided for bytes that are not what MSH-18 says, where a person shall look at them.
    """
    msh, dialect = message["MSH"], message.dialect
    said = (msh.get("11.1") or PRODUCTION).upper()
    if dialect.processing_ids != ANY_PROCESSING_ID and said not in set(dialect.processing_ids):
        text = "MSH-11: this processing ID is not taken from this sender. Its endpoint says which are."
        raise Unsupported(Problem(Condition.UNSUPPORTED_PROCESSING_ID, text, Place("MSH", field=11)))
    if dialect.versions and (msh.get("12.1") or "") not in dialect.versions:
        text = "MSH-12: this version is not taken from this sender. Its endpoint says which are."
        raise Unsupported(Problem(Condition.UNSUPPORTED_VERSION, text, Place("MSH", field=12)))
    if not message.charset_readable:
        text = "MSH-18: this character set cannot be read here. Nothing was done. Send UNICODE UTF-8."
        raise Unsupported(Problem(Condition.TABLE_VALUE_NOT_FOUND, text, Place("MSH", field=18)))
    if dialect.charset_policy == CharsetPolicy.KEEP and not message.charset_fits:
        text = "MSH-18: the text is not written in this character set. Nothing was done."
        raise Undecided(Problem(Condition.DATA_TYPE, text, Place("MSH", field=18)))
