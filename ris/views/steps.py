"""What people do with one step: press a button, give it a time and a station."""

from functools import partial

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ris import audit
from ris.actions import closing, exams, schedule
from ris.errors import DomainError, ForbiddenMove
from ris.forms import BookForm
from ris.models import ScheduledProcedureStep, StepClosure
from ris.states import STEP_MOVES
from ris.views import frame
from ris.views.kept import keeps_what_was_typed, typed
from ris.views.moves import BOOK, OVERBOOK, PERFORM, STEP_BUTTONS, Button


def show(request: HttpRequest, object_id: str) -> HttpResponse:
    """Lead to the page of the step's order, which tells that it was viewed."""
    frame.require(request, "ris.view_scheduledprocedurestep")
    step = _find(frame.key(object_id))
    answer = frame.leads_to("ris_order_change", step.requested_procedure.order_id)
    answer["Location"] += f"#step-{step.pk}"
    return answer


@require_POST
def go(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the move of the button that was pressed. Pressed twice, it is done once."""
    step = _find(pk)
    button = _button(request, step)
    frame.require(request, "ris.view_scheduledprocedurestep", button.permission)
    reason = frame.reason_in(request)
    if button.needs_reason and not reason:
        messages.error(request, _("Please say why."))
    else:
        _make(request, step, button, reason)
    return frame.back(request, "ris_order_change", step.requested_procedure.order_id)


def _button(request: HttpRequest, step: ScheduledProcedureStep) -> Button:
    """Return the button that was pressed; of two with the same move, the one for the step's state."""
    same = [button for button in STEP_BUTTONS if button.move == request.POST.get("move")]
    if not same:
        raise Http404
    return next((button for button in same if button.fits(step.state)), same[0])


def _make(request: HttpRequest, step: ScheduledProcedureStep, button: Button, reason: str) -> None:
    try:
        if not button.fits(step.state):
            raise ForbiddenMove
        if button.move == "unbook":
            frame.do(schedule.unbook, request, step=step, reason=reason)
        else:
            frame.do(partial(exams.go, button.move), request, step=step, reason=reason)
    except ForbiddenMove as error:
        step.refresh_from_db(fields=["state"])
        if step.state != STEP_MOVES[button.move].target:
            messages.error(request, frame.words(error))
            return
    messages.success(request, button.done)


@require_POST
def open_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo the closing of an exam that no scanner and no technologist has closed."""
    frame.require(request, "ris.view_scheduledprocedurestep", PERFORM)
    closure = get_object_or_404(StepClosure.objects.select_related("step__requested_procedure"), pk=pk)
    reason = frame.reason_in(request)
    if not reason:
        messages.error(request, _("Please say why."))
    else:
        try:
            frame.do(closing.undo, request, closure=closure, reason=reason)
        except DomainError as error:
            messages.error(request, frame.words(error))
        else:
            messages.success(request, _("The exam is open again; the same evidence does not close it once more."))
    return frame.back(request, "ris_order_change", closure.step.requested_procedure.order_id)


@keeps_what_was_typed
def book(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a step its time and station, or others."""
    frame.require(request, "ris.view_scheduledprocedurestep", BOOK)
    step = _find(pk)
    order = step.requested_procedure.order
    # Times are typed as the clock on the wall shows them where the exam takes place.
    with timezone.override((step.station.site if step.station else order.site).zone):
        said = typed(request)
        form = BookForm(said, step=step, may_overbook=request.user.has_perm(OVERBOOK))
        if request.method == "POST" and form.is_valid() and _booked(request, step, form):
            return frame.back(request, "ris_order_change", order.pk)
        audit.patient_viewed(request, order.patient, order=order, step=step)
        title = _("Move the exam") if step.station else _("Book the exam")
        address = reverse("admin:ris_order_change", args=[order.pk])
        return frame.page(
            request,
            "desk/book.html",
            title=title,
            form=form,
            step=step,
            order=order,
            patient=order.patient,
            seen=schedule.version(step),
            back=address,
        ).render()


def _booked(request: HttpRequest, step: ScheduledProcedureStep, form: BookForm) -> bool:
    said = form.cleaned_data
    try:
        placed = frame.do(
            schedule.book,
            request,
            step=step,
            start=said["start"],
            station=said["station"],
            duration=said["duration"],
            reason=said["reason"],
            overbook=said.get("overbook", False),
            seen=request.POST.get("seen"),
        )
    except DomainError as error:
        frame.refuse(form, error)
        step.refresh_from_db()
        return False
    if placed:
        messages.success(request, _("The exam is booked."))
    else:
        messages.warning(
            request, _("No station in use does this exam; the wish is kept and the order needs attention.")
        )
    return True


def _find(pk: int) -> ScheduledProcedureStep:
    steps = ScheduledProcedureStep.objects.select_related(
        "station__site",
        "requested_procedure__exam",
        "requested_procedure__order__patient",
        "requested_procedure__order__site",
    )
    return get_object_or_404(steps, pk=pk)
