"""The DICOMweb conformance page, printed from the code (docs/reference/dicomweb.md)."""

from collections.abc import Iterator

from ris.reference import markdown_table, page
from worklist.attributes import ATTRIBUTES, STEP_SEQUENCE, Attribute
from worklist.dicomweb import media
from worklist.dicomweb.access import Right
from worklist.dicomweb.parameters import DEEPEST

INTRODUCTION = """# DICOMweb conformance

Bucky is an origin server of the Modality Scheduled Procedure Step Service (PS3.18 chapter 14). Its base address is
`/dicomweb`, at the address of the desk (`BUCKY_HTTP`). How to use it: [DICOMweb](../howto/dicomweb.md).

The answers come from the engine that answers C-FIND, so matching, states, values and character sets are those of
[DICOM](dicom.md).

## Who is let in

A device shows an access token, a person the session of the desk: then a request that changes something must carry the
token against forged requests (`X-CSRFToken`). A device is one AE title: it is logged and treated as the scanner of that
name, and with `BUCKY_UNKNOWN_CALLERS=refuse` it must be a station.

"""
SEARCH = """
## Search

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
    ("`limit`, `offset`", "A page of the answers, which are in the order of start and step ID."),
    ("`fuzzymatching`", "`true` is read over with a warning."),
    ("`emptyvaluematching`, `multiplevaluematching`", "`true` is read over with a warning."),
    ("`accept`", "As the header field, which it replaces."),
    ("`charset`", "`utf-8`; another one alone is refused."),
)
NOTES = """
- Each parameter is given once, only `includefield` may be repeated.
- An attribute that Bucky does not match is read over and comes back without a value, with a warning that names it. An
  attribute of the worklist in the wrong place (`Modality` outside of the step sequence) is refused: read over, it would
  widen the list.
- Without `includefield` an answer holds the attributes of types 1 and 2 in the table below, and every key of the
  request. One without a value is there with its VR alone.
- Text is in UTF-8; Specific Character Set, where it is there, says ISO_IR 192.
- A step that cannot be written is left out; a warning says how many.
- HEAD does what GET does, without the body. OPTIONS names the methods.

### Statuses

"""
STATUSES = (
    ("200", "The steps of this page."),
    ("204", "No step matches, or none is left for this page."),
    ("400", "A parameter cannot be understood; `parameter` names it."),
    ("401", "No token and no session; or the token is not known, expired or revoked."),
    ("403", "The token or the person's roles do not allow it, the AE title is no station, or the session's own check."),
    ("405", "Another method; `Allow` names those that are done."),
    ("406", "Nothing of what is accepted can be answered; `offered` names what can."),
    ("413", "More than `BUCKY_WORKLIST_MAX_ANSWERS` steps match."),
    ("429", "Too many wrong tokens from this address; `Retry-After` says how long."),
    ("500", "A fault in Bucky."),
    ("503", "The database cannot be reached; ask again."),
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
        + "\n### Media types\n\n"
        + markdown_table(("Accepted", "Answered"), _offers(media.SEARCH_OFFERS))
        + "\n### Attributes\n\n"
        + markdown_table(("Path", "Tag", "Type", "Without being asked for"), _attributes(ATTRIBUTES))
        + "\nThis page is printed from `worklist/dicomweb/` and `worklist/attributes.py`"
        + " by `manage.py print_reference`.\n"
    )


def _rights() -> Iterator[tuple[str, str, str]]:
    words = {Right.SEARCH: "search", Right.REPORT: "begin and update", Right.RETRIEVE: "retrieve"}
    for right, name in words.items():
        if right is Right.SEARCH:
            field, permission = right.value
            yield name, f"`{field}`", f"`{permission}`"


def _offers(offers: tuple[media.Offer, ...]) -> Iterator[tuple[str, str]]:
    for offer in offers:
        yield f"`{offer.described}`", offer.shape.value


def _attributes(attributes: tuple[Attribute, ...], before: str = "") -> Iterator[tuple[str, ...]]:
    for row in sorted(attributes, key=lambda row: row is not STEP_SEQUENCE):
        asked = "yes" if row.return_type != "3" else ""
        yield f"`{before}{row.keyword}`", f"`{row.tag:08X}`", row.return_type, asked
        if row is STEP_SEQUENCE:
            yield from _attributes(row.items, f"{row.keyword}.")
