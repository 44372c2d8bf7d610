"""Why a query has no answer, as people read it: devices are told in English, screens speak their reader's language."""

from django.utils.translation import gettext as _
from pydicom.datadict import dictionary_description

from worklist.errors import QueryError, TooManyAnswers


def in_words(error: QueryError) -> str:
    """Return the reason, to stand after a colon."""
    if isinstance(error, TooManyAnswers):
        return _("more than %d exams match, and a list holds no more") % error.most
    if error.tag is not None and error.fault:
        words = _("the key %(attribute)s %(fault)s")
        return words % {"attribute": dictionary_description(error.tag), "fault": _(error.fault)}
    return _(error.comment)
