"""What people fill in at the desk. Forms check and translate; only the verbs write."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris import person_name
from ris.actions.patients import Identifier
from ris.actions.requests import ProcedureRequest
from ris.days import check_birth_date, check_start
from ris.models import (
    Exam,
    Order,
    Patient,
    PregnancyStatus,
    Priority,
    RequestedProcedure,
    ScheduledProcedureStep,
    Sex,
    Station,
)

PLAIN_COLUMNS = (
    *("birth_date", "sex", "phone", "address", "primary_language", "weight", "size"),
    *("allergies", "medical_alerts", "special_needs", "pregnancy_status", "comments"),
)
"""Columns of Patient that are one field of the form; the names are put together from several."""
NAME_FIELDS = ("family", "given", "middle", "name_prefix", "name_suffix")
"""Fields of the form for the five components of a name, in their order."""
PART_LENGTH = 60


def _part(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=PART_LENGTH)


def _date(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        validators=[check_birth_date],
        help_text=_("1962-04-17 or 17.4.1962"),
        widget=forms.DateInput(attrs={"autocomplete": "off", "inputmode": "text"}),
    )


class DeskForm(forms.Form):
    """Labels without a colon; a star marks what is required."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave the colon out."""
        super().__init__(*args, **{"label_suffix": ""} | kwargs)


class PersonForm(DeskForm):
    """Who a patient is."""

    family = forms.CharField(
        label=_("Family name"), max_length=PART_LENGTH, widget=forms.TextInput(attrs={"autofocus": True})
    )
    given = _part(_("Given name"))
    middle = _part(_("Middle name"))
    name_prefix = _part(_("Title before"))
    name_suffix = _part(_("Title after"))
    birth_date = _date(_("Birth date"))
    sex = forms.ChoiceField(label=_("Sex"), choices=[("", _("not known")), *Sex.choices], required=False)
    phone = forms.CharField(label=_("Phone"), required=False, max_length=80)
    address = forms.CharField(label=_("Address"), required=False, max_length=250)
    primary_language = forms.CharField(label=_("Language"), required=False, max_length=16)
    ideographic_family = _part(_("Family name, ideographic"))
    ideographic_given = _part(_("Given name, ideographic"))
    phonetic_family = _part(_("Family name, phonetic"))
    phonetic_given = _part(_("Given name, phonetic"))
    weight = forms.DecimalField(label=_("Weight (kg)"), required=False, max_digits=6, decimal_places=2, min_value=0)
    size = forms.DecimalField(label=_("Height (m)"), required=False, max_digits=4, decimal_places=2, min_value=0)
    allergies = forms.CharField(label=_("Allergies"), required=False, max_length=250)
    medical_alerts = forms.CharField(label=_("Medical alerts"), required=False, max_length=250)
    special_needs = forms.CharField(label=_("Special needs"), required=False, max_length=64)
    pregnancy_status = forms.TypedChoiceField(
        label=_("Pregnancy"),
        choices=[("", "–"), *PregnancyStatus.choices],
        coerce=int,
        empty_value=None,
        required=False,
    )

    comments = forms.CharField(
        label=_("Comments"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )

    groups: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (_("Person"), ("family", "given", "birth_date", "sex", "middle", "name_prefix", "name_suffix")),
        (_("Contact"), ("phone", "address", "primary_language")),
        (
            _("Name in other scripts"),
            ("ideographic_family", "ideographic_given", "phonetic_family", "phonetic_given"),
        ),
        (
            _("Medical"),
            ("weight", "size", "allergies", "medical_alerts", "special_needs", "pregnancy_status", "comments"),
        ),
    )
    """How the page lays the fields out."""

    def columns(self) -> dict[str, Any]:
        """Return what was said as columns of Patient."""
        said = self.cleaned_data
        return {name: said[name] for name in PLAIN_COLUMNS} | {
            "patient_name": person_name.join(*(said[field] for field in NAME_FIELDS)),
            "patient_name_ideographic": self._group("patient_name_ideographic", "ideographic"),
            "patient_name_phonetic": self._group("patient_name_phonetic", "phonetic"),
        }

    def _group(self, column: str, prefix: str) -> str:
        """Return one further component group; parts that the form does not show stay as they were."""
        parts = person_name.split(self.initial.get(column, ""))
        parts |= {part: self.cleaned_data[f"{prefix}_{part}"] for part in ("family", "given")}
        return person_name.join(**parts)

    def fieldsets(self) -> list[dict[str, Any]]:
        """Return the fields group by group, for the template."""
        return [
            {"title": title, "fields": [self[name] for name in names if name in self.fields]}
            for title, names in self.groups
        ]

    @staticmethod
    def of(patient: Patient) -> dict[str, Any]:
        """Return what the form begins with for a patient who is there already."""
        ideographic = person_name.split(patient.patient_name_ideographic)
        phonetic = person_name.split(patient.patient_name_phonetic)
        alphabetic = person_name.split(patient.patient_name)
        return {
            **dict(zip(NAME_FIELDS, (alphabetic[part] for part in person_name.COMPONENTS), strict=True)),
            **{name: getattr(patient, name) for name in PLAIN_COLUMNS},
            "patient_name_ideographic": patient.patient_name_ideographic,
            "patient_name_phonetic": patient.patient_name_phonetic,
            "ideographic_family": ideographic["family"],
            "ideographic_given": ideographic["given"],
            "phonetic_family": phonetic["family"],
            "phonetic_given": phonetic["given"],
        }


class IdentifierForm(DeskForm):
    """A number by which somebody knows a patient."""

    number = forms.CharField(label=_("Number"), max_length=64)
    issuer = forms.CharField(label=_("Given by"), max_length=64, help_text=_("Assigning authority, as in HL7 CX-4"))
    type = forms.CharField(
        label=_("Kind of number"), max_length=16, initial="MR", help_text=_("MR = medical record, HL7 table 0203")
    )

    def identifier(self) -> Identifier:
        """Return what was said."""
        said = self.cleaned_data
        return Identifier(said["number"].strip(), said["issuer"].strip(), said["type"].strip())


class RegisterForm(PersonForm):
    """A new patient."""

    number = forms.CharField(
        label=_("Number"), required=False, max_length=64, help_text=_("Empty: Bucky gives the next one")
    )
    issuer = forms.CharField(
        label=_("Given by"), required=False, max_length=64, help_text=_("Who gave the number, for example the hospital")
    )
    anyway = forms.BooleanField(label=_("This is somebody else: register anyway"), required=False)
    token = forms.CharField(widget=forms.HiddenInput, max_length=32)

    groups = (
        PersonForm.groups[0],
        (_("Number"), ("number", "issuer")),
        *PersonForm.groups[1:],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin at the first field that is not filled in already."""
        super().__init__(*args, **kwargs)
        first = ("family", "given", "birth_date", "sex")
        del self.fields["family"].widget.attrs["autofocus"]
        begin = next((name for name in first if not self.initial.get(name)), first[0])
        self.fields[begin].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any] | None:
        """A number needs somebody who gave it; our own name is taken where none is said."""
        said = super().clean()
        if said is not None and not said.get("issuer"):
            said["issuer"] = settings.BUCKY_PATIENT_ID_ISSUER
        return said


class StartForm(DeskForm):
    """A form with a start: a day that is over is asked about once, since it is mostly a slip of the keyboard."""

    past = forms.BooleanField(label=_("The exam was done then"), required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any] | None:
        """Take the time as the clock shows it at the station; show the tick when the day there is over."""
        said = at_station(super().clean())
        start = said.get("start") if said else None
        if start and "start" in self.changed_data and start.date() < timezone.localdate(timezone=start.tzinfo):
            self.fields["past"].widget = forms.CheckboxInput()
            if said and not said.get("past"):
                self.add_error("start", _("This day is over. Choose another, or tick that the exam was done then."))
        return said


def _suggest_exams(form: forms.Form, **attributes: Any) -> None:
    """Let the form's exam be one that is in use today, found while typing."""
    field = form.fields["exam"]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = Exam.objects.in_use()
    source = RequestedProcedure._meta.get_field("exam")
    field.widget = AutocompleteSelect(source, admin.site, attrs=attributes, choices=field.choices)


def as_person_name(text: str) -> str:
    """Return a name typed as "family, given" as a component group; one with carets stays as it is."""
    if "^" in text:
        return text.strip()
    family, _comma, given = text.partition(",")
    return person_name.join(family=family, given=given)


class EditOrderForm(DeskForm):
    """What can be changed of an order besides its time and exam."""

    requesting_physician = forms.CharField(label=_("Requesting physician"), required=False, max_length=64)
    referring_physician = forms.CharField(label=_("Referring physician"), required=False, max_length=64)
    callback_phone = forms.CharField(label=_("Call back"), required=False, max_length=80)

    @staticmethod
    def of(order: Order) -> dict[str, str]:
        """Return what the form begins with."""
        return {
            "requesting_physician": person_name.display(order.requesting_physician),
            "referring_physician": person_name.display(order.referring_physician),
            "callback_phone": order.callback_phone,
        }

    def columns(self) -> dict[str, str]:
        """Return what was changed, as columns of Order."""
        said = {name: self.cleaned_data[name] for name in self.changed_data}
        return {name: value if name == "callback_phone" else as_person_name(value) for name, value in said.items()}


class EditProcedureForm(DeskForm):
    """What can be changed of one procedure."""

    priority = forms.ChoiceField(label=_("Priority"), choices=Priority.choices)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=250)
    comments = forms.CharField(
        label=_("Comments"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=2000
    )

    def request(self, procedure: RequestedProcedure) -> ProcedureRequest:
        """Return what was changed of this procedure."""
        said = {name: self.cleaned_data[name] for name in self.changed_data}
        return ProcedureRequest(requested_procedure_id=procedure.requested_procedure_id, **said)


class BookForm(StartForm):
    """The time and station of a step."""

    start = forms.DateTimeField(
        label=_("Start"),
        validators=[check_start],
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
    )
    duration = forms.IntegerField(label=_("Minutes"), min_value=1, max_value=1440)
    station = forms.ModelChoiceField(
        label=_("Station"), queryset=Station.objects.none(), required=False, empty_label=_("chosen by Bucky")
    )
    reason = forms.CharField(label=_("Why"), required=False, max_length=250, help_text=_("Needed to overbook"))
    overbook = forms.BooleanField(
        label=_("Book it although it is taken or closed"), required=False, help_text=_("Say why")
    )

    field_order = ("start", "past")

    def __init__(self, *args: Any, step: ScheduledProcedureStep, may_overbook: bool, **kwargs: Any) -> None:
        """Begin with the step's own place; offer the stations of its modality."""
        kwargs["initial"] = {"start": step.start, "duration": step.duration, "station": step.station_id}
        super().__init__(*args, **kwargs)
        stations = Station.objects.active().select_related("site")
        field = self.fields["station"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = stations.filter(modality=step.modality) if step.modality else stations
        if not may_overbook:
            del self.fields["overbook"]
            self.fields["reason"].help_text = ""


def at_station(said: dict[str, Any] | None) -> dict[str, Any] | None:
    """Read the start as wall-clock time at the station's site, where a station is chosen."""
    if said and said.get("start") and said.get("station"):
        said["start"] = timezone.make_aware(timezone.make_naive(said["start"]), said["station"].site.zone)
    return said


class ExamForm(DeskForm):
    """Which exam of the catalogue an ordered procedure is."""

    exam = forms.ModelChoiceField(label=_("Exam"), queryset=Exam.objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Suggest exams while typing."""
        super().__init__(*args, **kwargs)
        _suggest_exams(self)


class MergeForm(DeskForm):
    """Which of two patients stays."""

    survivor = forms.IntegerField()
    reason = forms.CharField(label=_("Why"), required=False, max_length=250)
