"""Profiles of calling devices on the desk. Every change is told in the history."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.contrib import admin
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from ris.admin.audited import AuditedAdmin
from ris.desk import INTERFACES, Page, register_page
from worklist import profile_pages
from worklist.profile_models import HIDEABLE, ProfileValue, StationProfile

if TYPE_CHECKING:
    ProfileModelForm: TypeAlias = forms.ModelForm[StationProfile]
    Rows: TypeAlias = admin.TabularInline[Any, Any]
else:
    ProfileModelForm = forms.ModelForm
    Rows = admin.TabularInline


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


class ValueRows(Rows):
    """Attributes that the device gets otherwise."""

    model = ProfileValue
    extra = 0


_WRITING = ("issuer", "character_set", "transliterate", "upper_case_names", "leave_out_empty_sequences", "time_zone")


@admin.register(StationProfile)
class StationProfileAdmin(AuditedAdmin):
    """What is agreed with each calling device."""

    form = ProfileForm
    inlines = (ValueRows,)
    list_display = ("name", "callers", "station", "scope", "character_set", "active")
    list_filter = ("active",)
    list_select_related = ("station",)
    search_fields = ("name", "callers")
    filter_horizontal = ("stations",)
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        (_("Which device"), {"fields": ("callers", "station", "aliases")}),
        (_("What it sees"), {"fields": ("scope", "stations", "look_back", "look_ahead", "hidden_states")}),
        (_("How much it takes"), {"fields": ("most", "when_more")}),
        (_("How it is written to"), {"fields": _WRITING}),
    )
    change_form_template = "worklist/profile.html"

    def get_urls(self) -> list[URLPattern]:
        """Add what a device would be sent."""
        view = self.admin_site.admin_view(profile_pages.preview)
        return [path("preview/", view, name="worklist_stationprofile_preview"), *super().get_urls()]


register_page(
    Page(
        _("Station profiles"),
        "worklist_stationprofile_changelist",
        "worklist.change_stationprofile",
        64,
        group=INTERFACES,
    )
)
