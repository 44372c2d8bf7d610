"""Makes a station of a device that called without being known, or says which station it is."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ris import audit
from ris.admin.audited import values_of
from ris.models import EventKind, Site, Station
from ris.views import frame
from worklist.describe import said
from worklist.models import QueryLog, UnknownCaller
from worklist.profile_models import StationProfile
from worklist.query_words import asked_in_words

if TYPE_CHECKING:
    StationModelForm = forms.ModelForm[Station]
else:
    StationModelForm = forms.ModelForm

ADOPT = ("worklist.view_unknowncaller", "ris.add_station")
LINK = "worklist.add_stationprofile"
USE_AGAIN = "ris.change_station"
QUERIES_READ = 20

Done = tuple[Station, str]
"""What a caller is now, and in words what was done."""


class AdoptForm(StationModelForm):
    """The station that a caller becomes; its AE title is the one that it called under."""

    ae_title = forms.CharField(label=_lazy("AE title"), disabled=True)

    class Meta:
        model = Station
        fields = ("ae_title", "name", "site", "modality", "location")


class LinkForm(forms.Form):
    """The station that a caller is under another AE title."""

    station = forms.ModelChoiceField(label=_lazy("Station"), queryset=Station.objects.active())


def adopt(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what is known of a caller and the station that it may be.

    POST makes it a station; with `link` in the form it becomes the device of a station that there is, with `again` the
    station of its name, which is out of use, is put into use again.
    """
    frame.require(request, *ADOPT)
    caller = UnknownCaller.objects.filter(pk=pk).first()
    if caller is None:  # a second click, or somebody else was faster
        messages.info(request, _("This caller is not unknown any more."))
        return frame.leads_to("worklist_unknowncaller_changelist")
    resting = Station.objects.filter(ae_title=caller.ae_title, active=False).first()
    if resting and "again" in request.POST:
        return _led_to(request, *_use_again(request, caller, resting))
    links, makes = "link" in request.POST, request.method == "POST" and resting is None
    form = AdoptForm(
        request.POST if makes and not links else None,
        instance=Station(ae_title=caller.ae_title),
        initial=guess(caller.ae_title),
    )
    station, may_link = likely(caller.ae_title), request.user.has_perm(LINK)
    link = LinkForm(request.POST if links else None, initial={"station": station})
    sent: forms.BaseForm = link if links else form
    if sent.is_valid():
        try:
            with transaction.atomic():
                made = _link(request, caller, link) if links else _make(request, caller, form)
        except IntegrityError:
            sent.add_error(None, _("This AE title has been given to a station meanwhile."))
        except ValidationError as wrong:
            sent.add_error(None, wrong.messages)
        else:
            return _led_to(request, *made)
    return frame.page(
        request,
        "worklist/adopt.html",
        title=_("Adopt %s") % caller.ae_title,
        caller=caller,
        queries=[(one, asked_in_words(one, names_people=False)) for one in _queries(caller.ae_title)[:5]],
        form=form,
        resting=resting,
        may_use_again=request.user.has_perm(USE_AGAIN),
        link=link if may_link else None,
        likely=station if may_link else None,
    )


def _led_to(request: HttpRequest, station: Station, words: str) -> HttpResponse:
    """Say what was done and show the station."""
    messages.success(request, words)
    return frame.leads_to("ris_station_change", station.pk)


def _make(request: HttpRequest, caller: UnknownCaller, form: AdoptForm) -> Done:
    station = form.save()
    _tell(request, caller, station, "added", values_of(form))
    return station, _("%s is a station now.") % station


@transaction.atomic
def _use_again(request: HttpRequest, caller: UnknownCaller, station: Station) -> Done:
    """Put the station of the caller's name into use again."""
    frame.require(request, USE_AGAIN)
    station.active = True
    station.save(update_fields=["active"])
    _tell(request, caller, station, "changed", {"active": [False, True]})
    return station, _("%s is in use again.") % station


def _link(request: HttpRequest, caller: UnknownCaller, form: LinkForm) -> Done:
    """Enter a profile that says which station the caller is. Raises ValidationError where it would be several."""
    frame.require(request, LINK)
    station: Station = form.cleaned_data["station"]
    name = f"{caller.ae_title} = {station.ae_title}"
    profile = StationProfile(name=name, callers=caller.ae_title, station=station)
    profile.clean_fields()
    profile.clean()  # a device may call as "C*", or as nobody: that would be the profile of others
    profile.save(force_insert=True)
    _tell(
        request, caller, profile, "added", {"name": [None, name], "callers": [None, caller.ae_title]} | values_of(form)
    )
    words = _("The device %(title)s counts as %(station)s now: the station profile “%(profile)s” was made for it.")
    return station, words % {"title": caller.ae_title, "station": station, "profile": name}


def _tell(
    request: HttpRequest, caller: UnknownCaller, row: models.Model, change: str, changes: dict[str, list[Any]]
) -> None:
    """Forget the unknown caller and write the event."""
    UnknownCaller.objects.filter(ae_title=caller.ae_title).delete()
    details = {"changes": changes, "adopted": caller.ae_title, "address": caller.address}
    audit.row_changed(request, EventKind.CATALOG_CHANGED, row, change, details)


def guess(ae_title: str) -> dict[str, Any]:
    """Return what a device is likely to be: the modality that it asks for, the default site."""
    site = Site.objects.filter(is_default=True).first() or Site.objects.first()
    return {"name": ae_title, "site": site, "modality": _modality(ae_title)}


def likely(ae_title: str) -> Station | None:
    """Return the station that a device may be: of its name in other letters, else the one whose list it asks for."""
    stations = Station.objects.active()
    alike = list(stations.filter(ae_title__iexact=ae_title)[:2])
    asked = alike or list(stations.filter(ae_title__in=_asked(ae_title, "ScheduledStationAETitle"))[:2])
    return asked[0] if len(asked) == 1 else None


def _queries(ae_title: str) -> "QuerySet[QueryLog]":
    return QueryLog.objects.filter(calling_ae_title=ae_title).order_by("-last_at", "-pk")


def _asked(ae_title: str, keyword: str) -> set[str]:
    """Return the values that its last queries asked for."""
    queries = [dict(said(keys)) for keys in _queries(ae_title).values_list("keys", flat=True)[:QUERIES_READ]]
    return {str(keys[keyword]) for keys in queries if keyword in keys}


def _modality(ae_title: str) -> str:
    """Return the one modality that its last queries asked for, else the one of its station or name."""
    asked = {one for one in _asked(ae_title, "Modality") if one.isalnum()}
    if len(asked) == 1:
        return asked.pop()
    station = likely(ae_title)
    if station:
        return station.modality
    known = Station.objects.values_list("modality", flat=True).distinct().order_by("modality")
    return next((modality for modality in known if ae_title.upper().startswith(modality)), "")
