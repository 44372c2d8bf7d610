"""The DICOMweb conformance page, printed from the code (docs/reference/dicomweb.md)."""

from collections.abc import Iterator

from ris.reference import markdown_table, page
from worklist.attributes import ATTRIBUTES, STEP_SEQUENCE, Attribute
from worklist.dicomweb import media
from worklist.dicomweb.access import Right
from worklist.dicomweb.parameters import DEEPEST
from worklist.dicomweb.payload import READ
from worklist.server import LARGEST_MPPS

INTRODUCTION = """# DICOMweb conformance

Bucky is an origin server of the Modality Scheduled Procedure Step Service and of the Modality Performed Procedure Step
Service (PS3.18 chapters 14 and 15). Its base address is `/dicomweb`, at the address of the desk (`BUCKY_HTTP`). A GET
of `/dicomweb/` tells what there is. How to use it: [DICOMweb](../howto/dicomweb.md).

The answers come from the engines that answer C-FIND and MPPS, so matching, states, values and what is asked of a
performed step are those of [DICOM](dicom.md).

## Who is let in

A device shows an access token, a person the session of the desk: then a request that changes something must carry the
token against forged requests (`X-CSRFToken`). A device is one AE title: it is logged and treated as the scanner of that
name, and with `BUCKY_UNKNOWN_CALLERS=refuse` it must be a station.

"""
SEARCH = """
## Scheduled steps: search

`GET /dicomweb/modality-scheduled-procedure-steps`

"""
PARAMETERS = (
    (
        "`{attribute}={value}`",
        f"A key to match: a keyword or eight hexadecimal digits, with dots between levels (at most {DEEPEST}). Dates,"
        " times, ranges, wildcards as in C-FIND; UIDs are a list with commas. Without a value it only asks for the"
        " attribute.",
    ),
    ("`includefield`", "Further attributes with commas between them, may be repeated; or `all`, alone."),
    (
        "`limit`, `offset`",
        "A page of the answers. They are in the order of start and step ID; with a profile that sends the newest, the"
        " latest first.",
    ),
    ("`fuzzymatching`", "`true`: Patient's Name also fits as with fuzzy semantic matching in C-FIND."),
    ("`emptyvaluematching`", '`true`: `""` as a value asks for what has none (PS3.4 C.2.2.2.7).'),
    (
        "`multiplevaluematching`",
        "`true`: several values of an attribute that may have several, with backslashes between them, ask for all of"
        " them (PS3.4 C.2.2.2.8), without wildcards. Otherwise any of them is meant.",
    ),
    ("`accept`", "As the header field, and heeded before it."),
    ("`charset`", "Not heeded: answers are in UTF-8, and what is not supported is ignored (PS3.18 section 8.3.3.2)."),
)
NOTES = """
- Each parameter is given once, only `includefield` may be repeated.
- A page holds at most `BUCKY_WORKLIST_MAX_ANSWERS` steps, or what the profile of the device says. As long as more
  match, a warning (299) says how many: `There are 120 additional results that can be requested`. Any number of steps
  can be read in pages. A step that cannot be written counts for `offset` all the same.
- A list of UIDs has a UID in each place: `1.2,` is refused.
- An attribute that Bucky does not match is read over and comes back without a value, with a warning that names it. An
  attribute of the worklist in the wrong place (`Modality` outside of the step sequence) is refused: read over, it would
  widen the list.
- Without `includefield` an answer holds the attributes of types 1 and 2 in the table below, and every key of the
  request. One without a value is there with its VR alone.
- Text is in UTF-8; Specific Character Set, where it is there, says ISO_IR 192.
- Dates and times are those of the clock at the station's site. A Timezone Offset From UTC is read over, with a warning.
- A step that cannot be written is left out; a warning says how many.
- The profile of the device holds here too; where it cuts a list without `limit` to the newest, a warning says so.
- The query log has each page as a query of its own, with the answers of that page.
- HEAD does what GET does, without the body. OPTIONS names the methods.

### Statuses

"""
STATUSES = (
    ("200", "The steps of this page."),
    ("204", "No step matches, or none is left for this page."),
    ("400", "A parameter cannot be understood; `parameter` names it."),
    ("401", "No token and no session; or the token is not known, expired or revoked."),
    ("403", "The token or the person's roles do not allow it, the AE title is no station, or the session's own check."),
    ("404", "There is no such resource."),
    ("405", "Another method; `Allow` names those that are done."),
    ("406", "Nothing of what is accepted can be answered; `offered` names what can."),
    ("413", "More steps match than a page may hold, and the request has no `limit`."),
    ("429", "Too many wrong tokens from this address; `Retry-After` says how long."),
    ("500", "A fault in Bucky."),
    ("503", "The database cannot be reached; ask again."),
)

PERFORMED = """
## Performed steps: create, update, retrieve

| Request | What it does |
| --- | --- |
| `POST /dicomweb/modality-performed-procedure-steps/{uid}` | begins a step, as N-CREATE |
| `POST /dicomweb/modality-performed-procedure-steps/{uid}?update` | updates or ends it, as N-SET |
| `GET /dicomweb/modality-performed-procedure-steps/{uid}` | reads it, as N-GET; `includefield` narrows it |

"""
BODIES = """
- JSON is an object, or an array with just one. XML is one document of the Native DICOM Model (PS3.19 annex A.1), in its
  name space or in none; a document type is refused. A multipart body has one part.
- Text is in UTF-8. A VR must be the dictionary's; a value must be one of its VR. Bulk data elsewhere is not fetched.
- A request that is carried out, and one that the service refuses, is kept as a data set and passed on to archives like
  one that came by DIMSE.

### Statuses

"""
BODY_STATUSES = (
    ("200", "The step was updated; or here it is."),
    ("201", "The step was begun; `Location` says where it is."),
    ("400", "The body is no data set, the address is no UID, or (begin) an essential attribute is missing or wrong."),
    ("404", "There is no step of this UID."),
    ("409", "There is one already (begin); it has ended, or cannot end as it stands (update)."),
    ("411", "The request does not say how long its body is."),
    ("413", f"The body has more than {LARGEST_MPPS:,} bytes."),
    ("415", "The body is of another media type, or compressed."),
)


@page("docs/reference/dicomweb.md")
def dicomweb() -> str:
    """Print the page."""
    return (
        INTRODUCTION
        + markdown_table(("Right", "Field of a token", "Permission of a person"), _rights())
        + SEARCH
        + markdown_table(("Parameter", "Meaning"), PARAMETERS)
        + NOTES
        + markdown_table(("Status", "When"), STATUSES)
        + "\nA refusal is a report in JSON (`application/problem+json`, RFC 9457) with `detail` in words.\n"
        + "Where the service refused, `dicom_status` has the status of MPPS and `attributes` the tags at fault.\n"
        + "\n### Media types\n\n"
        + markdown_table(("Accepted", "Answered"), _offers(media.SEARCH_OFFERS))
        + "\n### Attributes\n\n"
        + markdown_table(("Path", "Tag", "Type", "Without being asked for"), _attributes(ATTRIBUTES))
        + PERFORMED
        + markdown_table(("Body", "Read as"), _bodies())
        + BODIES
        + markdown_table(("Status", "When"), BODY_STATUSES)
        + "\nThe others are those of the search.\n\n### Media types of a retrieval\n\n"
        + markdown_table(("Accepted", "Answered"), _offers(media.RETRIEVE_OFFERS))
        + "\nThis page is printed from `worklist/dicomweb/` and `worklist/attributes.py`"
        + " by `manage.py print_reference`.\n"
    )


def _rights() -> Iterator[tuple[str, str, str]]:
    words = {Right.SEARCH: "search", Right.REPORT: "begin and update", Right.RETRIEVE: "retrieve"}
    for right, name in words.items():
        field, permission = right.value
        yield name, f"`{field}`", f"`{permission}`"


def _bodies() -> Iterator[tuple[str, str]]:
    for media_type, kind in READ.items():
        yield f"`{media_type}`", kind.upper()
    yield "`multipart/related`", "its part is one of these"


def _offers(offers: tuple[media.Offer, ...]) -> Iterator[tuple[str, str]]:
    for offer in offers:
        yield f"`{offer.described}`", offer.shape.value


def _attributes(attributes: tuple[Attribute, ...], before: str = "") -> Iterator[tuple[str, ...]]:
    for row in sorted(attributes, key=lambda row: row is not STEP_SEQUENCE):
        asked = "yes" if row.return_type != "3" else ""
        yield f"`{before}{row.keyword}`", f"`{row.tag:08X}`", row.return_type, asked
        if row is STEP_SEQUENCE:
            yield from _attributes(row.items, f"{row.keyword}.")
