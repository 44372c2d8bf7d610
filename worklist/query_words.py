"""A query of the log as people read it."""

from typing import Any

from django.utils.translation import gettext as _
from pydicom.datadict import keyword_for_tag

from worklist.attributes import ATTRIBUTES, NOT_KEYS
from worklist.describe import said
from worklist.matching import Kind
from worklist.models import QueryLog
from worklist.ways import WHOLE, page_of, ways_of


def ways_in_words(kept: dict[str, Any]) -> list[str]:
    """Return how a query was asked beside its keys, as the query log has kept it; see worklist.ways."""
    ways, page = ways_of(kept), page_of(kept)
    words = [_("names that only sound alike match too")] if ways.by_ear else []
    words += [_("two quotation marks ask for what has no value")] if ways.empty else []
    words += [_("several values ask for all of them")] if ways.every else []
    if page.limit is not None:
        words.append(_("at most %(limit)d answers after %(offset)d") % vars(page))
    elif page.offset:
        words.append(_("the answers after the first %d") % page.offset)
    return words


def answers_in_words(query: QueryLog) -> str:
    """Return how many answers were sent, of a page how many match in all where that is known, and how many left out."""
    if page_of(query.ways) == WHOLE:
        sent = str(query.sent)
    elif query.total is None:
        sent = _("%d on this page") % query.sent
    else:
        sent = _("%(here)d of %(all)d") % {"here": query.sent, "all": query.total}
    if not query.left_out:
        return sent
    return _("%(sent)s (%(number)d left out)") % {"sent": sent, "number": query.left_out}


def asked_in_words(query: QueryLog, *, names_people: bool = True) -> str:
    """Return the keys that have a value, or the parameters that could not be read, and which page was wanted.

    names_people: with the values that tell of a patient; else of those, of what is never matched (a diagnosis may be
    there) and of what could not be read, only the names.
    """
    if query.unread:
        keys = [(name, ",".join(values)) for name, values in query.unread.items()]
    else:
        keys = list(said(query.keys))
    words = [f"{name}={value}" if names_people or name in _IMPERSONAL else f"{name}=…" for name, value in keys]
    return "; ".join((" ".join(words) or _("no key with a value"), *ways_in_words(query.ways)))


_IMPERSONAL = {
    one.keyword for row in ATTRIBUTES for one in (row, *row.items) if one.kind is not Kind.NONE and not one.personal
}
_IMPERSONAL |= {keyword_for_tag(tag) for tag in NOT_KEYS}
