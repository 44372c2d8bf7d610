"""Patients, the identifiers they are known by, and the journal of merges."""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris import findable, person_name
from ris.models.base import Noun


class Sex(models.TextChoices):
    """Patient's Sex (0010,0040); unknown is empty (PS3.3 C.7.1.1)."""

    MALE = "M", _("male")
    FEMALE = "F", _("female")
    OTHER = "O", _("other")


class PregnancyStatus(models.IntegerChoices):
    """Pregnancy Status (0010,21C0) (PS3.3 C.7.2.3)."""

    NOT_PREGNANT = 1, _("not pregnant")
    POSSIBLY = 2, _("possibly pregnant")
    DEFINITELY = 3, _("pregnant")
    UNKNOWN = 4, _("unknown")


MOST_WORDS = 20
"""Words that a search takes, each of which asks for numbers once; with more than these nobody is called."""
MOST_BY_NUMBER = 500
"""Patients that the beginning of a number finds; who looks for another one types more of it."""


class PatientQuerySet(models.QuerySet["Patient"]):
    """Ways to find patients."""

    def current(self) -> Self:
        """Leave out patients that were merged into another."""
        return self.filter(merged_into__isnull=True)

    def linked_with(self, patient: "Patient") -> Self:
        """Narrow to the patients that the hospital has linked with this one."""
        links = PatientLink.objects.filter(undone_at__isnull=True)
        return self.filter(
            Q(pk__in=links.filter(first=patient).values("second"))
            | Q(pk__in=links.filter(second=patient).values("first"))
        )

    def search(self, text: str, *, by_ear: bool = False) -> Self:
        """Find by any part of the names, any identifier, birth date (ISO) or phone; all words of `text` have to fit.

        Names are compared without case and accents; by_ear: what only sounds like a name fits as well. A number of a
        patient who was merged away finds the survivor too, through one merge or two.
        """
        words = findable.words(text)
        if len(words) > MOST_WORDS:
            return self.none()
        found = self
        for word in words:
            found = found.filter(self._meaning(word, by_ear=by_ear))
        return found

    @staticmethod
    def _meaning(word: findable.Word, *, by_ear: bool) -> Q:
        """Return the condition that one word is. Each of its parts is one index of PostgreSQL, joined as bitmaps."""
        numbered = PatientIdentifier.objects.beginning_with(word.typed)
        keys = {key for keys in numbered.patient_keys()[:MOST_BY_NUMBER] for key in keys if key}
        terms = Q(search_text__contains=word.part)
        if keys:
            terms |= Q(pk__in=keys)
        if word.day:
            terms |= Q(birth_date=word.day)
        if word.phone:
            terms |= Q(search_text__contains=word.phone)
        for code in word.codes if by_ear else ():
            terms |= Q(sounds__contains=f" {code} ")
        return terms


_FOLDED = 2 * person_name.GROUP_LENGTH


class Patient(Noun):
    """A person that the department examines, named as DICOM names them.

    A patient that was merged into another keeps its row and identifiers, so that late messages find the survivor.
    """

    patient_name = models.CharField(_("name"), max_length=person_name.GROUP_LENGTH, blank=True)
    patient_name_ideographic = models.CharField(_("ideographic name"), max_length=person_name.GROUP_LENGTH, blank=True)
    patient_name_phonetic = models.CharField(_("phonetic name"), max_length=person_name.GROUP_LENGTH, blank=True)
    # Twice as long, since folding can make one letter two; where it makes more of very many, the end is cut off.
    patient_name_folded = models.CharField(max_length=_FOLDED, blank=True, editable=False)
    search_text = models.TextField(blank=True, editable=False, help_text="See ris.findable")
    sounds = models.TextField(blank=True, editable=False, help_text="See ris.findable")
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    sex = models.CharField(_("sex"), max_length=1, choices=Sex, blank=True)
    address = models.CharField(_("address"), max_length=250, blank=True)
    phone = models.CharField(_("phone"), max_length=80, blank=True)
    primary_language = models.CharField(_("language"), max_length=16, blank=True)
    weight = models.DecimalField(
        _("weight (kg)"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(999)],
    )
    size = models.DecimalField(
        _("height (m)"),
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(3)],
    )
    medical_alerts = models.CharField(_("medical alerts"), max_length=250, blank=True)
    allergies = models.CharField(_("allergies"), max_length=250, blank=True)
    special_needs = models.CharField(_("special needs"), max_length=64, blank=True)
    patient_state = models.CharField(_("patient state"), max_length=64, blank=True)
    confidentiality = models.CharField(_("confidentiality"), max_length=64, blank=True)
    comments = models.TextField(_("comments"), blank=True)
    pregnancy_status = models.PositiveSmallIntegerField(_("pregnancy"), choices=PregnancyStatus, null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", verbose_name=_("merged into")
    )
    # A mark and nothing more: what was done for a patient stays, whatever the hospital deletes.
    deleted_at = models.DateTimeField(_("deleted by the sender"), null=True, blank=True)
    created_at = models.DateTimeField(_("registered"), auto_now_add=True)

    objects = PatientQuerySet.as_manager()

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ("patient_name_folded", "pk")
        indexes = (
            models.Index(fields=("patient_name_folded",), name="patient_name_idx"),
            models.Index(fields=("birth_date",), name="patient_birth_idx"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=models.F("pk")),
                name="patient_not_merged_into_itself",
            ),
            models.CheckConstraint(condition=Q(sex__in=["", *Sex.values]), name="patient_sex_known"),
        )
        permissions = (("merge_patient", _("Can merge patients")),)

    def __str__(self) -> str:
        return person_name.display(self.patient_name) or self.patient_name_ideographic or str(_("(no name)"))

    @property
    def names(self) -> tuple[str, str, str]:
        """The component groups: alphabetic, ideographic, phonetic."""
        return self.patient_name, self.patient_name_ideographic, self.patient_name_phonetic

    def derive(self) -> None:
        """Keep in step what the patient is found by."""
        self.patient_name_folded = person_name.fold(self.patient_name)[:_FOLDED]
        self.search_text = findable.search_text(self.names, self.phone)
        self.sounds = findable.sounds(*self.names)

    def _derived_fields(self, changed: set[str]) -> set[str]:
        names = {"patient_name", "patient_name_ideographic", "patient_name_phonetic"}
        found_by = {"patient_name_folded", "search_text", "sounds"}
        return found_by if changed & names else {"search_text"} if "phone" in changed else set()

    @property
    def is_named(self) -> bool:
        """Whether there is a name in any representation. Scanners are not shown exams of a patient without one."""
        return any(self.names)

    @property
    def patient_id(self) -> str:
        """Patient ID (0010,0020): the value of the primary identifier, empty where there is none.

        Uses prefetched identifiers where the caller asked for them.
        """
        primary = next((row for row in self.identifiers.all() if row.primary), None)
        return primary.value if primary else ""

    def survivor(self) -> "Patient":
        """Return the patient that this one was merged into in the end, or the patient itself."""
        patient = self
        while patient.merged_into is not None:
            patient = patient.merged_into
        return patient


class PatientIdentifierQuerySet(models.QuerySet["PatientIdentifier"]):
    """Ways to find identifiers."""

    def named(self, issuer: str, type: str, value: str) -> Self:
        """Narrow to the one identifier that these three name."""
        return self.filter(issuer=issuer, type=type, value=value)

    def beginning_with(self, number: str) -> Self:
        """Narrow to numbers that begin so, in any case of letters; one or two signs are a whole number."""
        return self.filter(value__istartswith=number) if len(number) > 2 else self.filter(value__iexact=number)

    def patient_keys(self) -> "models.QuerySet[PatientIdentifier, tuple[int | None, ...]]":
        """Return for each the keys of its patient and of whom that one was merged into, through two merges."""
        return self.order_by().values_list("patient", "patient__merged_into", "patient__merged_into__merged_into")


class PatientIdentifier(Noun):
    """A number that an authority gave a patient (HL7 CX, DICOM Patient ID + Issuer): unique by issuer, type, value."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="identifiers", verbose_name=_("patient"))
    value = models.CharField(_("number"), max_length=64)
    issuer = models.CharField(_("issuer"), max_length=64, help_text=_("Assigning authority, CX-4 namespace"))
    issuer_universal_id = models.CharField(_("issuer's universal id"), max_length=64, blank=True)
    issuer_universal_id_type = models.CharField(_("its type"), max_length=16, blank=True)
    type = models.CharField(_("type"), max_length=16, default="MR", help_text=_("HL7 table 0203, MR = medical record"))
    primary = models.BooleanField(
        _("primary"), default=False, help_text=_("Sent to scanners as Patient ID; one for each patient")
    )

    objects = PatientIdentifierQuerySet.as_manager()

    class Meta:
        verbose_name = _("patient identifier")
        verbose_name_plural = _("patient identifiers")
        ordering = ("-primary", "pk")
        indexes = (models.Index(fields=("value",), name="patient_identifier_value_idx"),)
        constraints = (
            models.UniqueConstraint(fields=("issuer", "type", "value"), name="patient_identifier_unique"),
            models.UniqueConstraint(fields=("patient",), condition=Q(primary=True), name="patient_one_primary"),
            models.CheckConstraint(condition=~Q(value=""), name="patient_identifier_not_empty"),
        )

    def __str__(self) -> str:
        return f"{self.value} ({self.issuer})"


class Insurance(Noun):
    """Who pays for a patient and what else the hospital wrote of them, as it was sent last: for people to read."""

    patient = models.OneToOneField(Patient, models.PROTECT, related_name="insurance", verbose_name=_("patient"))
    # {segment, fields: [[place, text]]} as with an order. A table of its own: most messages never touch it.
    sent_along = models.JSONField(_("sent along"), default=list, blank=True)

    class Meta:
        verbose_name = _("insurance")
        verbose_name_plural = _("insurance")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.patient_id)


class PatientMerge(Noun):
    """Journal of one merge: what it moved, so that it can be undone."""

    survivor = models.ForeignKey(Patient, models.PROTECT, related_name="merges_survived", verbose_name=_("survivor"))
    loser = models.ForeignKey(Patient, models.PROTECT, related_name="merges_lost", verbose_name=_("merged away"))
    merged_at = models.DateTimeField(_("merged"), auto_now_add=True)
    moved_orders = models.JSONField(_("orders moved"), default=list, blank=True)
    moved_visits = models.JSONField(_("visits moved"), default=list, blank=True)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ("-merged_at",)
        constraints = (
            models.CheckConstraint(condition=~Q(survivor=models.F("loser")), name="merge_of_two"),
            models.UniqueConstraint(
                fields=("loser",), condition=Q(undone_at__isnull=True), name="merge_one_active_for_each_loser"
            ),
        )

    def __str__(self) -> str:
        return f"{self.loser_id} → {self.survivor_id}"


class PatientLink(Noun):
    """Two patients whom a hospital knows to be one person and keeps apart nevertheless; one row for each pair."""

    first = models.ForeignKey(Patient, models.PROTECT, related_name="links_first", verbose_name=_("patient"))
    second = models.ForeignKey(Patient, models.PROTECT, related_name="links_second", verbose_name=_("linked with"))
    linked_at = models.DateTimeField(_("linked"), auto_now_add=True)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(first__lt=models.F("second")), name="link_in_order"),
            models.UniqueConstraint(
                fields=("first", "second"), condition=Q(undone_at__isnull=True), name="link_one_active_for_each_pair"
            ),
        )

    def __str__(self) -> str:
        return f"{self.first_id} – {self.second_id}"
