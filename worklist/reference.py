"""The DICOM conformance page, printed from the tables that the door works by."""

from collections.abc import Iterator

from pydicom.datadict import dictionary_description
from pydicom.uid import UID

from ris.reference import markdown_table, page
from ris.states import ON_WORKLIST, StepState
from worklist import answering, charsets, errors, negotiation, peer
from worklist import mpps_rules as rules
from worklist.attributes import ATTRIBUTES, STEP_SEQUENCE, Attribute, Fault
from worklist.charsets import ASCII_ONLY
from worklist.dicomweb import reference as reference  # registers itself
from worklist.matching import Kind
from worklist.pdu import APPLICATION_CONTEXT, Limits
from worklist.server import LARGEST_MPPS
from worklist.spelling import IDENTIFYING, SAYS_UNKNOWN

INTRODUCTION = """# DICOM conformance

Bucky is an SCP of Modality Worklist (PS3.4 annex K), of Modality Performed Procedure Step with its retrieval (annex F)
and of Verification. As SCU of Modality Performed Procedure Step it passes on to archives what scanners tell, and
as SCU of Study Root Query/Retrieve - FIND it asks them for studies.

## Association

"""
MATCHING = """
## Matching

- One answer for each Scheduled Procedure Step, ordered by start and step ID. An answer holds the keys that were asked
  for and nothing else, and the character set where one is needed.
- An empty key, `*` alone, an empty sequence and a sequence item without keys match everything. A sequence that is
  asked for without keys comes whole.
- A step whose stored value is empty never matches a key that has a value.
- Names of persons match without regard to case and accents: `muller*` finds Müller. Each component group (alphabetic,
  ideographic, phonetic) is matched with its own. Every other text is matched exactly, capitals and small letters too.
- Wildcards are `*` and `?`. Where the table says "single value" they have no meaning: `CT*` finds the AE title `CT*`.
- Start date and start time are one window: `20060705-20060707` with `100000-180000` is from 5 July 10:00 to 7 July
  18:00. A time without a date, or one exact time with a range of dates, is a time of day.
- Dates and times are those of the wall clock at the station's site. A key without minutes or seconds means the whole
  hour or minute. `YYYY.MM.DD` and `HH:MM:SS` are understood too.
- Several values in one text key mean any of them. DICOM has this for UIDs only; combined scanners ask for two
  modalities in this way.
- A key that Bucky does not match is ignored and comes back. If it had a value, the answers are pending with FF01
  instead of FF00. A key that Bucky does not know comes back with zero length.
- A sequence key with more than one item is refused.
- With empty value matching negotiated, `""` as a key asks for what has no value (C.2.2.2.7). With multiple value
  matching negotiated, several values of an attribute that may have several ask for all of them, without wildcards
  (C.2.2.2.8).
- With fuzzy semantic matching negotiated, Patient's Name also fits where each word of the key begins a word of any
  representation of the name, or sounds like one (Cologne phonetics and Metaphone): `Meier*` finds Mayr. Other names
  match as ever.
- Issuer of Patient ID beside Patient ID: any number of the patient fits, and the answer holds the one that was asked
  for. Without an issuer the primary number is meant, or that of the authority in the station profile.

### What a device may see

A station profile in the admin can narrow what a calling AE title is answered, whatever it asks for: to its own station
or a group of stations, to days around today, to some states. It can name aliases: a key with an alias means the
station, and the answer holds the alias. It can say how many answers a device takes; when more match, the query is
refused with A700, or the steps with the latest start are sent, the latest first.
"""
CHARACTERS = """
## Character sets

Where ASCII is enough, no Specific Character Set is sent. Elsewhere the answer is in ISO_IR 192 (UTF-8), or in the
character set of the calling device's station profile. A query may be in any character set that its own Specific
Character Set names.

A profile may name one of the sets below, or several with code extensions (`ISO 2022 IR` in the place of `ISO_IR`, the
first of one byte or empty). What cannot be written in it is sent in another representation that is kept of the name,
else in Latin letters (not by context: `ü` becomes `u`); with the other policy the answer is in UTF-8. Escape sequences
return to the first set before each `^`, `=` and line end.

A text of VR LO, LT or UT that is longer than its VR allows ends with ` ...`. Allergies, Medical Alerts and Admitting
Diagnoses Description, which may have several values, are broken into as many as they need.

"""
PROFILES = """
## What a station profile changes

- Names of persons in capitals.
- Sequences without items are left out.
- Dates and times by the clock of the device, in keys and in answers.
- Single attributes: a value that is always sent, one that is sent instead of none, a greatest number of characters,
  where they are asked for. Of the patient no value is forced, and none is sent instead of nothing but one that says
  that it is not known: {unknown}. Nothing that identifies can be changed: {identifying}.

"""


PERFORMED = """
## Modality Performed Procedure Step

N-CREATE begins a step (IN PROGRESS), N-SET updates it as often as the scanner likes and ends it (COMPLETED or
DISCONTINUED), N-GET reads it, also in the context of the retrieve SOP class. What ended cannot be changed any more. An
N-CREATE without a SOP Instance UID is given one. Every request is kept as it came, those that were refused too.

- A scheduled step is found by Scheduled Procedure Step ID, then by Accession Number and Requested Procedure ID, then by
  Study Instance UID; never by the patient alone. Where these contradict each other, or name nothing, the performed step
  waits for a person.
- Several items in the Scheduled Step Attributes Sequence are a group: all their steps go the same way. A second
  performed step for a completed one is kept beside it. A step that is done in parts ends with its last part.
- Discontinued with code 110514 (DCM, incorrect worklist entry selected), the scheduled step is on the worklist again
  and its order is marked for attention; with any other code or none it is discontinued.
- A sequence in an N-SET replaces the whole sequence. Dates and times are those of the wall clock at the station's site,
  unless Timezone Offset From UTC says otherwise.
- A completed step has a series, be it one without images; a discontinued one may end without (noted as a doubt, since
  PS3.4 table F.7.2-1, note 2, wants one there too).
- An attribute of type 1 below is asked for strictly, but for those of a series. What else is missing, cannot be read,
  or may not be changed by N-SET is noted beside the step and does not stop it.

### As SCU: what archives are told

Every N-CREATE and N-SET that was carried out is passed on as it came to each archive that is set up for it, in the
order in which they came, in Explicit or Implicit VR Little Endian. Our own AE title is `BUCKY_AE_TITLE`.

- Success and warnings count as taken, and so does 0111 for an N-CREATE: an earlier attempt has arrived.
- 0106, 0112, 0117, 0120, 0121, and 0110 with Error ID A710 are final: the report is given up and the next one goes on.
- Everything else, no answer, and an answer for another instance are tried again, after 10 s at first and 10 min at
  last; after 150 attempts, about a day, the report is given up. A person sees it on the desk and can send it again.

### As SCU: which studies archives have

For stations that are set up for it, archives are asked by C-FIND (`1.2.840.10008.5.1.4.1.2.2.1`, level STUDY, one
Study Instance UID) for Modalities in Study and Number of Study Related Instances. Either may be missing in an answer.
An archive with a DICOMweb address is asked there instead: `GET /studies?StudyInstanceUID=…` (QIDO-RS, PS3.18 section
10.6), answered with `application/dicom+json`, within 20 s, over TLS 1.2 or later where the address is https. Redirects
are not followed.

### Status codes

"""


def _performed_statuses() -> Iterator[tuple[str, str]]:
    yield f"{rules.SUCCESS:04X}", "done and stored"
    yield f"{rules.ATTRIBUTES_NOT_SUPPORTED:04X}", "N-GET: an attribute that was asked for is not one of this service"
    yield (
        f"{rules.INVALID_VALUE:04X}",
        f"an essential value or the state is not valid here, or more than {rules.MOST_SCHEDULED} steps are named",
    )
    yield (
        f"{rules.PROCESSING_FAILURE:04X}",
        f"with Error ID {rules.MAY_NO_LONGER_BE_UPDATED:04X}: the step has ended; without: the data set cannot be"
        " decoded, or a fault in Bucky",
    )
    yield f"{rules.DUPLICATE_INSTANCE:04X}", "N-CREATE: the SOP Instance UID is there already"
    yield f"{rules.NO_SUCH_INSTANCE:04X}", "N-SET, N-GET: there is no such SOP Instance UID"
    yield f"{rules.INVALID_INSTANCE:04X}", "the SOP Instance UID is not a UID"
    yield f"{rules.CLASS_INSTANCE_CONFLICT:04X}", "another operation than N-GET in the retrieve SOP class"
    yield (
        f"{rules.MISSING_ATTRIBUTE:04X}",
        "an essential attribute is missing, or a step was completed without a series; the Attribute Identifier List"
        " names it",
    )
    yield f"{rules.MISSING_VALUE:04X}", "the same, where the attribute is there without a value"
    yield f"{rules.CLASS_NOT_SUPPORTED:04X}", "another SOP class"
    yield f"{rules.UNRECOGNIZED_OPERATION:04X}", "another operation, or in a context that is not for it"
    yield f"{rules.RESOURCE_LIMITATION:04X}", "the database is away or too slow; nothing was kept, send it again"


def _performed_attributes() -> Iterator[tuple[str, ...]]:
    for rule in rules.RULES:
        name = ("&gt; " if rule.within else "") + dictionary_description(rule.tag)
        yield name, str(rule.tag).replace(", ", ","), rule.create, "not allowed" if rule.set == "-" else rule.set
    yield "All others", "", "3", "3"


@page("docs/reference/dicom.md")
def dicom() -> str:
    """Print the conformance page."""
    return (
        INTRODUCTION
        + markdown_table(("What", "Value"), _association())
        + MATCHING
        + "\n## Which steps are on the worklist\n\n"
        + f"Steps that have a station and a start and are in one of the states {_states()}.\n"
        + "Steps of an order on hold are not, nor those whose safety questions hold them back.\n"
        + CHARACTERS
        + markdown_table(("Specific Character Set", "For"), _character_sets())
        + PROFILES.format(
            identifying=", ".join(f"`{keyword}`" for keyword in sorted(IDENTIFYING)),
            unknown=", ".join(f"`{keyword}` {value}" for keyword, value in sorted(SAYS_UNKNOWN.items())),
        )
        + "\n## Status codes\n\n"
        + markdown_table(("Status", "Meaning"), _statuses())
        + "\nEvery failure has an Error Comment (0000,0902), and the Offending Element (0000,0901) where a key is at"
        + " fault.\n"
        + "".join(_keys(ATTRIBUTES))
        + PERFORMED
        + markdown_table(("Status", "Meaning"), _performed_statuses())
        + "\n### Attributes\n\n"
        + markdown_table(("Attribute", "Tag", "N-CREATE", "N-SET"), _performed_attributes())
        + "\nThis page is printed from `worklist/attributes.py`, `worklist/mpps_rules.py` and `worklist/peer.py`"
        + " by `manage.py print_reference`.\n"
    )


def _character_sets() -> Iterator[tuple[str, str]]:
    yield ASCII_ONLY, "ASCII; never named in an answer"
    yield from charsets.ALONE.items()
    yield from charsets.SINGLE.items()
    yield from charsets.MULTI_BYTE.items()


def _association() -> Iterator[tuple[str, str]]:
    yield "SOP classes", ", ".join(_uid(uid) for uid in negotiation.SERVICES)
    yield "Transfer syntaxes", ", ".join(_uid(uid) for uid in negotiation.TRANSFER_SYNTAXES)
    yield "Called AE title", "must be `BUCKY_AE_TITLE`, else rejected (1, 1, 7)"
    yield (
        "Calling AE title",
        "noted where it is no station; rejected (1, 1, 3) where `BUCKY_UNKNOWN_CALLERS` is `refuse`",
    )
    most = "`BUCKY_DICOM_MAX_ASSOCIATIONS` at a time, `BUCKY_DICOM_MAX_PER_ADDRESS` from one network address"
    yield "Associations", f"{most}; one more is rejected (2, 3, 2)"
    yield "TLS", "1.2 and 1.3 at `BUCKY_DICOM_TLS`, beside plain (BCP 195); mutual with `BUCKY_TLS_CLIENT_CA`"
    yield "Application context", f"`{APPLICATION_CONTEXT}`, else rejected (1, 1, 2)"
    yield "Maximum PDU", f"{Limits().pdu:,} bytes announced and read"
    yield "Largest request", f"{Limits().message:,} bytes, of MPPS {LARGEST_MPPS:,} bytes"
    yield "Operations at a time", "one an association; C-CANCEL is heeded between two answers"
    yield "ARTIM", f"{peer.ARTIM_SECONDS:.0f} s"
    yield "One PDU", f"{peer.PDU_SECONDS:.0f} s from its first byte to its last"
    yield "Idle association", f"aborted after {peer.IDLE_SECONDS:.0f} s"
    yield (
        "Extended negotiation",
        "relational queries and combined date and time: always, and told so; fuzzy semantic matching of names: where it"
        " is proposed; time zone query adjustment: no; enhanced multi-frame image conversion: no; empty value and"
        " multiple value matching: where bytes 6 and 7 propose them, as in PS3.4 table C.5-1 (K.5.1.1 calls the"
        " sub-item the same and defines four bytes). The answer is as long as the proposal",
    )


def _uid(uid: str) -> str:
    return f"{UID(uid).name} (`{uid}`)"


def _states() -> str:
    return ", ".join(f"`{state.value}`" for state in StepState if state in ON_WORKLIST)


def _statuses() -> Iterator[tuple[str, str]]:
    yield "FF00", "one step, more to come"
    yield "FF01", "the same; a key that Bucky cannot match had a value"
    yield "0000", "done"
    yield f"{answering.CANCELED:04X}", "cancelled by C-CANCEL"
    yield (
        f"{errors.OUT_OF_RESOURCES:04X}",
        "the database is away or too slow, or more steps match than `BUCKY_WORKLIST_MAX_ANSWERS` or the profile allow",
    )
    yield f"{errors.IDENTIFIER_DOES_NOT_FIT:04X}", "the identifier does not parse, or has no key of the worklist"
    yield f"{errors.CANNOT_UNDERSTAND:04X}", "a date, a time or a range cannot be understood"
    yield f"{errors.UNABLE_TO_PROCESS:04X}", "a fault in Bucky"


def _keys(attributes: tuple[Attribute, ...]) -> Iterator[str]:
    """Print one table for each level of the information model."""
    levels = list(dict.fromkeys(row.level for row in attributes))
    for level in levels:
        rows = [row for row in attributes if row.level is level and row is not STEP_SEQUENCE]
        if level is STEP_SEQUENCE.level:
            rows = [STEP_SEQUENCE, *rows]
        yield f"\n## Keys of the {level.value}\n\n"
        head = ("Attribute", "Tag", "VR", "Matched", "Type", "Where it comes from", "If it cannot be written")
        yield markdown_table(head, (cells for row in rows for cells in _rows(row)))


def _rows(attribute: Attribute, depth: int = 0) -> Iterator[tuple[str, ...]]:
    yield (
        "&gt; " * depth + attribute.name,
        str(attribute.tag).replace(", ", ","),
        attribute.vr,
        _kind(attribute),
        attribute.return_type,
        _origin(attribute),
        "" if attribute.vr == "SQ" or not attribute.known else _fault(attribute),
    )
    for item in attribute.items:
        yield from _rows(item, depth + 1)


def _kind(attribute: Attribute) -> str:
    return "" if attribute.kind is Kind.NONE else attribute.kind.value


def _origin(attribute: Attribute) -> str:
    if attribute.constant:
        return f"always `{attribute.constant}`"
    return attribute.origin or ("" if attribute.known else "not kept, zero length")


def _fault(attribute: Attribute) -> str:
    return "" if attribute.constant else Fault(attribute.fault).value
