"""The page on which a sender's codes are pasted: it shows first what they would do."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext

from hl7 import code_import
from hl7.models import Endpoint
from ris.errors import InvalidValue
from ris.views import frame

NAME = "pasted.csv"
LONGEST = 500_000
SHOWN = 500
"""Rows that the page shows; those that are wrong or change something come first."""


class PasteForm(forms.Form):
    """A table as text."""

    table = forms.CharField(
        label=gettext_lazy("Table"), max_length=LONGEST, widget=forms.Textarea({"rows": 12, "cols": 80})
    )


def import_codes(request: HttpRequest, object_id: str) -> HttpResponse:
    """Show what a table would do to an endpoint's codes, and do it where the person says so."""
    frame.require(request, "hl7.change_endpoint", "hl7.add_codetranslation", "hl7.change_codetranslation")
    endpoint = get_object_or_404(Endpoint, pk=frame.key(object_id))
    form = PasteForm(request.POST or None)
    lines: list[code_import.Line] = []
    if request.method == "POST" and form.is_valid():
        content = form.cleaned_data["table"].encode()
        try:
            if request.POST.get("do") == "import":
                return _imported(request, endpoint, content)
            lines = code_import.plan(endpoint, NAME, content)
        except InvalidValue as error:
            form.add_error("table", error.message)
    wrong = any(line.problem for line in lines)
    return frame.page(
        request,
        "hl7/import_codes.html",
        title=gettext_lazy("Import codes of %s") % endpoint,
        form=form,
        tables=code_import.tables(),
        lines=sorted(lines, key=lambda line: (not line.problem, not line.changes, line.number))[:SHOWN],
        changes=0 if wrong else sum(line.changes for line in lines),
        back=reverse("admin:hl7_endpoint_change", args=[endpoint.pk]),
    )


def _imported(request: HttpRequest, endpoint: Endpoint, content: bytes) -> HttpResponse:
    count = code_import.carry_out(request, endpoint, NAME, content)
    text = ngettext("%(count)d code was imported.", "%(count)d codes were imported.", count)
    messages.success(request, text % {"count": count})
    return frame.leads_to("hl7_endpoint_change", endpoint.pk)
