"""Which associations and presentation contexts the DICOM door takes (PS3.8 section 7.1, PS3.7 annex D)."""

from dataclasses import dataclass

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from worklist.pdu import APPLICATION_CONTEXT, ContextResult, Proposal, Request
from worklist.ways import Ways

VERIFICATION = "1.2.840.10008.1.1"
MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
PERFORMED_STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.4"
SERVICES = (VERIFICATION, MODALITY_WORKLIST_FIND, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE)
TRANSFER_SYNTAXES: tuple[str, ...] = (
    str(ExplicitVRLittleEndian),
    str(ImplicitVRLittleEndian),
    str(DeflatedExplicitVRLittleEndian),
    str(ExplicitVRBigEndian),
)
"""In the order in which we choose where the peer proposes several in one context."""
EXTENDED_NEGOTIATION = bytes((1, 1, 1, 0, 0, 1, 1))
"""Relational queries, date-time matching, fuzzy names, time zone, enhanced multi-frame, empty values, multiple values.

PS3.4 K.5.1.1 has the first four for worklists, says that the sub-item is that of Query/Retrieve (table C.5-1) and that
byte 5, the conversion of multi-frame images, means nothing here. It is silent on bytes 6 and 7: a peer that offers them
can mean nothing else than Query/Retrieve does, and one that does not is answered as ever.
"""
FUZZY, EMPTY_VALUES, MULTIPLE_VALUES = 2, 5, 6
"""Places of bytes."""


@dataclass(frozen=True)
class Rejection:
    """Why an association is not accepted (PS3.8 table 9-21). code: how it is kept (worklist.models.RefusedCall)."""

    result: int
    source: int
    reason: int
    words: str
    code: str


WRONG_CONTEXT = Rejection(1, 1, 2, "it is not DICOM's application context", "CONTEXT")
WRONG_CALLED = Rejection(1, 1, 7, "it calls another AE title", "CALLED")
UNKNOWN_CALLING = Rejection(1, 1, 3, "its AE title is no station", "CALLING")
CANNOT_LOOK_UP = Rejection(2, 1, 1, "the stations cannot be looked up now", "LOOK_UP")
TOO_MANY = Rejection(2, 3, 2, "too many associations are open", "FULL")


def judge(request: Request, ae_title: str, *, is_full: bool) -> Rejection | None:
    """Return why a request is refused whoever sends it, None when it is welcome so far."""
    if request.application_context != APPLICATION_CONTEXT:
        return WRONG_CONTEXT
    if request.called_ae_title != ae_title:
        return WRONG_CALLED
    return TOO_MANY if is_full else None


def choose(proposals: tuple[Proposal, ...]) -> list[tuple[int, ContextResult, str]]:
    """Return for each proposed context its id, what becomes of it, and the transfer syntax."""
    return [_choose(proposal) for proposal in proposals]


def _choose(proposal: Proposal) -> tuple[int, ContextResult, str]:
    # A refused context names a transfer syntax too, which the peer does not read (PS3.8 table 9-18).
    refused = proposal.transfer_syntaxes[0] if proposal.transfer_syntaxes else TRANSFER_SYNTAXES[1]
    if proposal.abstract_syntax not in SERVICES:
        return proposal.context_id, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED, refused
    for syntax in TRANSFER_SYNTAXES:
        if syntax in proposal.transfer_syntaxes:
            return proposal.context_id, ContextResult.ACCEPTED, syntax
    return proposal.context_id, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED, refused


def extended(request: Request) -> dict[str, bytes]:
    """Return the answers to SOP class extended negotiation: as long as what was asked, and no more than we do."""
    return {
        uid: bytes(asked & ours for asked, ours in zip(information, EXTENDED_NEGOTIATION, strict=False))
        for uid, information in request.extended.items()
        if uid == MODALITY_WORKLIST_FIND
    }


def ways_of(request: Request) -> Ways:
    """Return what extended negotiation agrees on beside the usual matching."""
    agreed = extended(request).get(MODALITY_WORKLIST_FIND, b"").ljust(len(EXTENDED_NEGOTIATION), b"\0")
    return Ways(by_ear=agreed[FUZZY] == 1, empty=agreed[EMPTY_VALUES] == 1, every=agreed[MULTIPLE_VALUES] == 1)
