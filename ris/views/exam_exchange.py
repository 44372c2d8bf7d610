"""The exam catalogue as a file: export it, and import one in two steps, of which only the second changes anything."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ris import audit, spreadsheets
from ris.actions import exam_import, exam_table
from ris.actions.exam_import import Outcome
from ris.errors import DomainError
from ris.models import CatalogueUpload
from ris.roles import EXAM_ROWS
from ris.views import frame

SHOWN = 500
"""Rows of a plan that its page shows; those with an error come first, then what would change."""
RANK = (Outcome.ERROR, Outcome.CHANGED, Outcome.NEW, Outcome.UNCHANGED)
WORDS = {
    Outcome.ERROR: gettext_lazy("error"),
    Outcome.CHANGED: gettext_lazy("changed"),
    Outcome.NEW: gettext_lazy("new"),
    Outcome.UNCHANGED: gettext_lazy("unchanged"),
}
KEEP = (
    *("ris.add_exam", "ris.change_exam"),
    *(f"ris.{verb}_{noun}" for verb in ("add", "change", "delete") for noun in EXAM_ROWS),
)
"""A file may change an exam and all that belongs to it."""


class UploadForm(forms.Form):
    """A table of exams."""

    file = forms.FileField(
        label=gettext_lazy("File"), max_length=200, help_text=gettext_lazy("CSV in UTF-8, or XLSX; 5 MB at most")
    )


def export(request: HttpRequest, kind: str) -> HttpResponse:
    """Send the whole catalogue as a file."""
    frame.require(request, "ris.view_exam")
    if kind not in ("csv", "xlsx"):
        raise Http404
    rows = exam_table.whole()
    content = spreadsheets.to_csv(rows) if kind == "csv" else spreadsheets.to_xlsx(rows, "Exams")
    audit.record_viewed(request, "ris.exam", search=f"export {kind}")
    content_type = "text/csv; charset=utf-8" if kind == "csv" else spreadsheets.XLSX_TYPE
    return HttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="exams.{kind}"'}
    )


def upload(request: HttpRequest) -> HttpResponse:
    """Take a file, which changes nothing yet."""
    frame.require(request, *KEEP)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            spreadsheets.check_size(file.size)
            kept = frame.do(exam_import.keep, request, name=file.name, content=file.read())
        except DomainError as error:
            form.add_error("file", error.message)
        else:
            return frame.leads_to("ris_exam_review", kept.pk)
    return frame.page(
        request,
        "desk/exam_import.html",
        title=_("Import exams"),
        form=form,
        columns=exam_table.columns(("de",)),
        back=reverse("admin:ris_exam_changelist"),
    )


def review(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell row by row what an upload would change; POST changes it."""
    frame.require(request, *KEEP)
    kept = get_object_or_404(CatalogueUpload, pk=pk)
    try:
        if request.method == "POST":
            done = frame.do(exam_import.apply, request, upload=kept, digest=request.POST.get("digest", ""))
            counts = {"new": done.count(Outcome.NEW), "changed": done.count(Outcome.CHANGED)}
            messages.success(request, _("The file is imported: %(new)d new, %(changed)d changed.") % counts)
            return frame.leads_to("ris_exam_changelist")
    except DomainError as error:
        messages.error(request, error.message)
    kept.refresh_from_db()
    if kept.applied_at is not None:
        return frame.leads_to("ris_exam_changelist")
    try:
        plan = exam_import.plan_of(kept)
    except DomainError as error:
        messages.error(request, error.message)
        return frame.leads_to("ris_exam_import")
    rows = sorted(plan.rows, key=lambda row: (RANK.index(row.outcome), row.line))
    return frame.page(
        request,
        "desk/exam_review.html",
        title=_("What the file would change"),
        upload=kept,
        plan=plan,
        counts=[(WORDS[outcome], plan.count(outcome)) for outcome in RANK],
        rows=[{"row": row, "word": WORDS[row.outcome]} for row in rows[:SHOWN]],
        more=max(len(rows) - SHOWN, 0),
        back=reverse("admin:ris_exam_import"),
    )
