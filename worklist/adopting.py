"""Makes a station of a device that called without being known."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ris import audit
from ris.admin.audited import changes_of
from ris.models import EventKind, Site, Station
from ris.views import frame
from worklist.models import QueryLog, UnknownCaller

if TYPE_CHECKING:
    StationModelForm = forms.ModelForm[Station]
else:
    StationModelForm = forms.ModelForm

ADOPT = ("worklist.view_unknowncaller", "ris.add_station")
QUERIES_READ = 20


class AdoptForm(StationModelForm):
    """The station that a caller becomes; its AE title is the one that it called under."""

    ae_title = forms.CharField(label=_lazy("AE title"), disabled=True)

    class Meta:
        model = Station
        fields = ("ae_title", "name", "site", "modality", "location")


def adopt(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what is known of a caller and the station that it may be; POST makes it one."""
    frame.require(request, *ADOPT)
    caller = get_object_or_404(UnknownCaller, pk=pk)
    station = Station(ae_title=caller.ae_title)
    form = AdoptForm(request.POST or None, instance=station, initial=guess(caller.ae_title))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                _make(request, caller, form)
        except IntegrityError:
            form.add_error(None, _("A station with this AE title has come meanwhile."))
        else:
            messages.success(request, _("%s is a station now.") % caller.ae_title)
            return frame.leads_to("ris_station_change", station.pk)
    return frame.page(
        request,
        "worklist/adopt.html",
        title=_("Adopt %s") % caller.ae_title,
        caller=caller,
        queries=QueryLog.objects.filter(calling_ae_title=caller.ae_title).order_by("-last_at", "-pk")[:5],
        form=form,
    )


def _make(request: HttpRequest, caller: UnknownCaller, form: AdoptForm) -> None:
    station = form.save()
    UnknownCaller.objects.filter(ae_title=caller.ae_title).delete()
    details = {"changes": changes_of(form), "adopted": caller.ae_title, "address": caller.address}
    audit.row_changed(request, EventKind.CATALOG_CHANGED, station, "added", details)


def guess(ae_title: str) -> dict[str, Any]:
    """Return what a device is likely to be: the modality that it asks for, the default site."""
    site = Site.objects.filter(is_default=True).first() or Site.objects.first()
    return {"name": ae_title, "site": site, "modality": _modality(ae_title)}


def _modality(ae_title: str) -> str:
    """Return the one modality that its last queries asked for, else the one that its name begins with."""
    queries = QueryLog.objects.filter(calling_ae_title=ae_title).order_by("-last_at")
    said = {
        str(item.get("Modality", ""))
        for keys in queries.values_list("keys", flat=True)[:QUERIES_READ]
        for item in keys.get("ScheduledProcedureStepSequence") or ()
        if isinstance(item, dict)
    }
    asked = {one for one in said if one and one.isalnum()}
    if len(asked) == 1:
        return asked.pop()
    known = Station.objects.values_list("modality", flat=True).distinct().order_by("modality")
    return next((modality for modality in known if ae_title.upper().startswith(modality)), "")
