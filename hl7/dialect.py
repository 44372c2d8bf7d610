"""How one sender writes and what is agreed with it, as every message carries it along. No Django.

A dialect is a row of `hl7.models.Endpoint` with what belongs to it, read into memory. `Message.dialect` and
`Segment.dialect` lead to it, so that whoever reads a field also knows in which dialect it is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CodeTable(StrEnum):
    """What an endpoint may have its own codes for."""

    SEX = "sex"
    PRIORITY = "priority"
    PATIENT_CLASS = "class"
    MODALITY = "modality"
    EXAM = "exam"
    OBSERVATION = "observation"


class CharsetPolicy(StrEnum):
    """What counts when the bytes of a message are not what MSH-18 says."""

    UTF_8 = "utf8"
    """Text that is valid UTF-8 is UTF-8, whatever MSH-18 says."""
    DECLARED = "declared"
    """MSH-18, as long as the bytes can be read by it."""
    KEEP = "keep"
    """Neither: the message is kept for a person."""


class MasterMissing(StrEnum):
    """What happens to a message without a number of the master authority."""

    ACCEPT = "accept"
    """Its surest other number names the patient."""
    KEEP = "keep"
    """It is kept for a person."""
    REFUSE = "refuse"
    """It is refused."""


class Waiting(StrEnum):
    """What happens to the later messages of a patient while an earlier one waits for a person."""

    GO_ON = "go_on"
    WAIT = "wait"


ANY_PROCESSING_ID = "any"
PRODUCTION = "P"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is agreed with one sender; the defaults are for a sender with whom nothing is.

    endpoint: primary key of the row; None where there is none. site: code of the site whose messages these are where
    they name none. issuer: authority of a patient number without one. charset: what counts as MSH-18 where it is empty.
    processing_ids: values of MSH-11 that are taken ("PT": P and T), or ANY_PROCESSING_ID. versions: values of MSH-12
    that are taken; empty: any. sources: name of an argument (hl7.mapping.Row.name) -> the fields that fill it instead
    of the usual ones. codes: table -> the sender's code in capitals -> what it is here.
    """

    endpoint: int | None = None
    site: str = ""
    issuer: str = ""
    charset: str = ""
    charset_policy: CharsetPolicy = CharsetPolicy.UTF_8
    master_authority: str = ""
    master_missing: MasterMissing = MasterMissing.ACCEPT
    arrival_checks_in: bool = False
    processing_ids: str = PRODUCTION
    versions: frozenset[str] = frozenset()
    application_replies: bool = False
    waiting: Waiting = Waiting.GO_ON
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: Mapping[CodeTable, Mapping[str, str]] = field(default_factory=dict)

    def code(self, table: CodeTable, said: str) -> str | None:
        """Return what a code of the sender is here; None where nothing is agreed about it."""
        return self.codes.get(table, {}).get(said.upper()) if self.codes else None


PLAIN = Dialect()
