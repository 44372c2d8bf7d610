"""Profiles of calling devices on the desk. Every change is told in the history."""

from typing import TYPE_CHECKING, TypeAlias

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from ris.admin.audited import AuditedAdmin
from ris.desk import Page, register_page
from worklist.profile_models import HIDEABLE, StationProfile

if TYPE_CHECKING:
    ProfileModelForm: TypeAlias = forms.ModelForm[StationProfile]
else:
    ProfileModelForm = forms.ModelForm


class ProfileForm(ProfileModelForm):
    """Offers the states as boxes to tick."""

    hidden_states = forms.MultipleChoiceField(
        label=_("Hidden states"),
        choices=HIDEABLE,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=StationProfile._meta.get_field("hidden_states").help_text,
    )

    class Meta:
        model = StationProfile
        fields = "__all__"


@admin.register(StationProfile)
class StationProfileAdmin(AuditedAdmin):
    """What is agreed with each calling device."""

    form = ProfileForm
    list_display = ("name", "callers", "station", "scope", "active")
    list_filter = ("active",)
    list_select_related = ("station",)
    search_fields = ("name", "callers")
    filter_horizontal = ("stations",)
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        (_("Which device"), {"fields": ("callers", "station", "aliases")}),
        (_("What it sees"), {"fields": ("scope", "stations", "look_back", "look_ahead", "hidden_states")}),
        (_("How much it takes"), {"fields": ("most", "when_more")}),
    )


register_page(Page(_("Station profiles"), "worklist_stationprofile_changelist", "worklist.change_stationprofile", 64))
