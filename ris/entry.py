"""Order entry: the form, how an exam and a referrer are found while typing, and the questions that an exam asks."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris import findable, person_name
from ris.actions.requests import ProcedureRequest
from ris.days import check_start
from ris.forms import StartForm, as_person_name
from ris.models import Exam, Order, Priority, Station
from ris.models.catalog import Laterality
from ris.models.examrows import ExamQuestion, QuestionKind

SHOWN = 10
RECENT = 3000
"""Orders whose referrers are suggested."""
LONGEST = 130
"""Letters of what is typed for an exam."""
FOUND_BY = ("code", "meaning", "body_part", "modality", "loinc_code", "playbook_code")


def find_exams(text: str, most: int = SHOWN) -> list[Exam]:
    """Return exams in use of which each word is a part of code, name, body region or modality; codes first."""
    found = Exam.objects.in_use()
    if len(text) > LONGEST:
        return []
    for word in text.split():
        found = found.filter(Q(*((f"{name}__icontains", word) for name in FOUND_BY), _connector=Q.OR))
    typed = text.strip().lower()

    def rank(exam: Exam) -> tuple[bool, bool, bool, str]:
        code, name = exam.code.lower(), exam.meaning.lower()
        return code != typed, not code.startswith(typed), not name.startswith(typed), exam.meaning

    return sorted(found[:200], key=rank)[:most] if typed else []


def find_referrers(text: str) -> list[str]:
    """Return who asked for exams lately and whose name has all words as parts, the commonest first."""
    words = [word.part.strip() for word in findable.words(text)]
    recent = Order.objects.exclude(requesting_physician="").order_by("-pk")
    count: dict[str, int] = {}
    for name in recent.values_list("requesting_physician", flat=True)[:RECENT]:
        count[name] = count.get(name, 0) + 1
    fitting = [name for name in count if all(word in findable.spread(name) for word in words)] if words else []
    return [person_name.display(name) for name in sorted(fitting, key=lambda name: (-count[name], name))[:SHOWN]]


def _chosen_yes_no() -> list[tuple[str, Any]]:
    return [("", "–"), ("yes", _("yes")), ("no", _("no"))]


def answer_field(question: ExamQuestion) -> forms.Field:
    """Return the field in which a question is answered."""
    common: dict[str, Any] = {"label": question.text, "required": question.required}
    match question.kind:
        case QuestionKind.YES_NO:
            return forms.ChoiceField(choices=_chosen_yes_no(), **common)
        case QuestionKind.NUMBER:
            return forms.DecimalField(max_digits=12, **common)
        case QuestionKind.DATE:
            return forms.DateField(widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}), **common)
        case QuestionKind.SIDE:
            return forms.ChoiceField(choices=[("", "–"), *Laterality.choices], **common)
        case QuestionKind.CHOICE:
            return forms.ChoiceField(choices=[("", "–"), *((one, one) for one in question.options)], **common)
    return forms.CharField(max_length=250, **common)


def question_fields(exam: Exam) -> dict[str, forms.Field]:
    """Return the fields of all questions of an exam by their names in a form."""
    return {f"answer_{question.pk}": answer_field(question) for question in exam.questions.all()}


class QuestionForm(forms.Form):
    """Only the questions of an exam, as a part of a page."""

    def __init__(self, exam: Exam) -> None:
        """Show the fields empty."""
        super().__init__(label_suffix="")
        self.fields.update(question_fields(exam))


class OrderForm(StartForm):
    """A new order for a patient. `exam` is what was chosen; without JavaScript the text in `exam_text` has to do."""

    exam = forms.ModelChoiceField(queryset=Exam.objects.none(), required=False, widget=forms.HiddenInput)
    exam_text = forms.CharField(
        label=_("Exam"),
        required=False,
        max_length=LONGEST,
        help_text=_("Its code, or parts of its name, the body region or the modality"),
    )
    priority = forms.ChoiceField(label=_("Priority"), choices=Priority.choices, initial=Priority.ROUTINE)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=250)
    requesting_physician = forms.CharField(
        label=_("Requesting physician"), required=False, max_length=64, help_text=_("Family name, given name")
    )
    start = forms.DateTimeField(
        label=_("Start"),
        required=False,
        validators=[check_start],
        help_text=_("Empty: it waits to be scheduled"),
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
    )
    station = forms.ModelChoiceField(
        label=_("Station"),
        queryset=Station.objects.active(),
        required=False,
        empty_label=_("chosen by Bucky"),
    )
    comments = forms.CharField(
        label=_("Comments"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=2000
    )
    token = forms.CharField(widget=forms.HiddenInput, max_length=32)

    field_order = ("exam", "exam_text", "priority", "reason", "requesting_physician", "start", "past")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the exam that was chosen or typed, and ask its questions."""
        super().__init__(*args, **kwargs)
        field = self.fields["exam"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Exam.objects.in_use()
        self.candidates: list[Exam] = []
        exam = self._exam_named() if self.is_bound else None
        self.questions = question_fields(exam) if exam else {}
        self.fields.update(self.questions)
        if exam:
            self.data = {**self.data, "exam": str(exam.pk), "exam_text": str(exam)}

    def _exam_named(self) -> Exam | None:
        """Return the exam that was chosen, unless another text was typed since, or the only one that the text means."""
        self.data = self.data.dict() if hasattr(self.data, "dict") else dict(self.data)
        key, text = str(self.data.get("exam", "")), str(self.data.get("exam_text", "")).strip()
        chosen = Exam.objects.in_use().filter(pk=int(key)).first() if key.isascii() and key.isdigit() else None
        if chosen and text in ("", str(chosen)):
            return chosen
        self.candidates = find_exams(text)
        exact = [exam for exam in self.candidates if exam.code.lower() == text.lower()]
        found = exact if len(exact) == 1 else self.candidates
        return found[0] if len(found) == 1 else None

    def clean(self) -> dict[str, Any] | None:
        """Say what to do where no exam, or more than one, is meant."""
        said = super().clean()
        if said is not None and not said.get("exam"):
            typed = said.get("exam_text")
            text = _("Several exams fit: choose one.") if self.candidates else _("No exam in use is called so.")
            self.add_error("exam_text", text if typed else _("This field is required."))
        return said

    def asked_fields(self) -> list[forms.BoundField]:
        """Return the fields of the exam's questions."""
        return [self[name] for name in self.questions]

    def plain_fields(self) -> list[forms.BoundField]:
        """Return the fields that every order has, without the exam."""
        own = ("exam", "exam_text", "requesting_physician", *self.questions)
        return [self[name] for name in self.fields if name not in own]

    def request(self) -> ProcedureRequest:
        """Return what was asked for."""
        said = self.cleaned_data
        return ProcedureRequest(
            exam=said["exam"],
            priority=said["priority"],
            reason=said["reason"],
            comments=said["comments"],
            start=said["start"],
            station=said["station"],
            answers=self._answers(),
            asked=True,
        )

    def _answers(self) -> list[dict[str, str]]:
        """Return the questions that were answered with their answers, as people read them."""
        answers = []
        for name, field in self.questions.items():
            value = self.cleaned_data.get(name)
            if value in (None, ""):
                continue
            words = dict(getattr(field, "choices", ())).get(value, value)
            text = f"{words.normalize():f}" if isinstance(words, Decimal) else str(words)
            answers.append({"question": str(field.label), "answer": text})
        return answers

    def physician(self) -> str:
        """Return the requesting physician as DICOM writes names."""
        return as_person_name(self.cleaned_data["requesting_physician"])
