"""Pages of one message: what it says and did, what it would do now, edit and send it again, dismiss it."""

from hashlib import sha256

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hl7 import edited, ordering, replaying, settling, tasks
from hl7.edited import NotSendable
from hl7.effects import effect_of, events_of
from hl7.models import OPEN_STATES, InboundMessage, MessageState
from hl7.named import patients_named
from hl7.readable import readable, readable_answer, visible
from hl7.rehearsal import rehearse
from ris import audit
from ris.errors import DomainError
from ris.models import Patient
from ris.views import frame, story

VIEW = "hl7.view_inboundmessage"
REPLAY = "hl7.replay_inboundmessage"
STORY_SHOWN = 200


def _message(object_id: str | int) -> InboundMessage:
    rows = InboundMessage.objects.select_related("repeat_of", "replay_of", "entered_by", "settled_by", "endpoint")
    return get_object_or_404(rows, pk=frame.key(str(object_id)))


def show(request: HttpRequest, object_id: str) -> HttpResponse:
    """Show one message: what it says, what became of it, what it changed."""
    frame.require(request, VIEW)
    message = _message(object_id)
    raw = bytes(message.raw)
    cause = (message.repeat_of or message).cause
    effect = effect_of(cause)
    named = [patient for patient in patients_named(raw, message.peer) if patient not in effect.patients]
    is_waiting = message.state == MessageState.WAITING
    before = bytes(message.replay_of.raw) if message.replay_of else raw
    answer = frame.page(
        request,
        "hl7/message.html",
        title=_("Message %s") % (message.control_id or message.pk),
        message=message,
        segments=readable(raw, message.peer),
        raw=visible(raw),
        answer=(said := readable_answer(bytes(message.answer))),
        answer_lines=said.beside([*message.warnings, message.error_text]) if said else [],
        had_effect=message.state in replaying.DONE,
        raw_answer=visible(bytes(message.answer)),
        effect=effect,
        named=named,
        story=story.tell(events_of(cause)[:STORY_SHOWN]),
        replays=message.replays.select_related("entered_by").order_by("pk"),
        differences=edited.differences(before, raw, message.peer) if before != raw else [],
        is_open=message.state in OPEN_STATES,
        applied_as=settling.applied_for(message) if message.state == MessageState.MENDED else None,
        is_waiting=is_waiting,
        earlier=ordering.earlier_than(message) if is_waiting else (),
        may_replay=request.user.has_perm(REPLAY),
        may_edit=len(raw) <= edited.LONGEST and message.purged_at is None,
    )
    _tell(request, message, _both(effect.patients, named))
    return answer


def try_it(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the message would do if it came now."""
    frame.require(request, VIEW, REPLAY)
    message = _message(pk)
    rehearsed = rehearse(bytes(message.raw), message.peer)
    _tell(request, message, _both(effect_of(message.cause).patients, rehearsed.effect.patients))
    return frame.page(
        request,
        "hl7/rehearsal.html",
        title=_("What would message %s do now?") % (message.control_id or message.pk),
        message=message,
        rehearsed=rehearsed,
        answer=(said := readable_answer(rehearsed.answer)),
        answer_lines=said.beside(rehearsed.warnings) if said else [],
        is_open=message.state in OPEN_STATES,
    )


class EditForm(forms.Form):
    """The text of a message; `tried` is a mark of the text that was tried last."""

    text = forms.CharField(
        strip=False,
        max_length=edited.LONGEST,
        widget=forms.Textarea(attrs={"rows": 18, "cols": 120, "class": "segments", "spellcheck": "false"}),
    )
    tried = forms.CharField(required=False, widget=forms.HiddenInput)


def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Edit a message as text, try it, and send it as a new message; the old one stays as it came."""
    frame.require(request, VIEW, REPLAY)
    message = _message(pk)
    raw = bytes(message.raw)
    if len(raw) > edited.LONGEST:
        messages.error(request, _("This message is too large to be edited here."))
        return frame.leads_to("hl7_inboundmessage_change", pk)
    before = edited.editable(raw, message.peer)
    form = EditForm(request.POST or None, initial={"text": before.text})
    rehearsed, changes, patients = None, [], effect_of(message.cause).patients
    if request.method == "POST" and form.is_valid():
        try:
            new = edited.sendable(form.cleaned_data["text"], before.codec)
        except NotSendable as reason:
            form.add_error("text", str(reason))
        else:
            mark = sha256(new).hexdigest()
            if "send" in request.POST and form.cleaned_data["tried"] == mark:
                return _send(request, message, new)
            rehearsed, changes = rehearse(new, message.peer), edited.differences(raw, new, message.peer)
            patients = _both(patients, rehearsed.effect.patients)
            form = EditForm(form.cleaned_data | {"tried": mark})
    _tell(request, message, patients)
    said = readable_answer(rehearsed.answer) if rehearsed else None
    return frame.page(
        request,
        "hl7/edit.html",
        title=_("Edit message %s") % (message.control_id or message.pk),
        message=message,
        form=form,
        codec=before.codec,
        rehearsed=rehearsed,
        answer=said,
        answer_lines=said.beside(rehearsed.warnings) if said and rehearsed else [],
        differences=changes,
    )


@require_POST
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a message again as it is."""
    frame.require(request, VIEW, REPLAY)
    return _send(request, _message(pk), None)


def _send(request: HttpRequest, message: InboundMessage, raw: bytes | None) -> HttpResponse:
    try:
        made = replaying.send_again(by=audit.actor_of(request), message=message, raw=raw)
    except DomainError as error:
        messages.error(request, frame.words(error))
        return frame.leads_to("hl7_inboundmessage_change", message.pk)
    if made is None:
        messages.error(request, _("The message could not be stored now. Try it again later."))
        return frame.leads_to("hl7_inboundmessage_change", message.pk)
    tasks.advance.delay_on_commit()  # type: ignore[attr-defined]  # see ris.celery.NudgeTask
    if made.state in replaying.DONE:
        messages.success(request, _("The message was sent again and applied."))
    else:
        messages.warning(request, _("The message was sent again and was not applied; see why below."))
    return frame.leads_to("hl7_inboundmessage_change", made.pk)


@require_POST
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """Settle a message that is not to be applied."""
    frame.require(request, VIEW, REPLAY)
    message = _message(pk)
    try:
        replaying.dismiss(by=audit.actor_of(request), message=message, reason=frame.reason_in(request))
    except DomainError as error:
        messages.error(request, frame.words(error))
    else:
        tasks.advance.delay_on_commit()  # type: ignore[attr-defined]  # see ris.celery.NudgeTask
        messages.success(request, _("The message is dismissed."))
    return frame.leads_to("hl7_inboundmessage_change", message.pk)


def _both(one: list[Patient], other: list[Patient]) -> list[Patient]:
    return list(dict.fromkeys([*one, *other]))


def _tell(request: HttpRequest, message: InboundMessage, patients: list[Patient]) -> None:
    """Write the event of one look at a message."""
    subject = audit.subject_of(message)
    if len(patients) == 1:
        audit.patient_viewed(request, patients[0], subject=subject)
    elif patients:
        audit.patients_listed(request, [patient.pk for patient in patients], subject=subject)
    else:
        audit.record_viewed(request, subject)
