"""The day board: every station a column, appointments as blocks by time, and what changes meanwhile."""

import re
from collections.abc import Mapping
from hashlib import sha1

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, QueryDict
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ris import audit
from ris.actions import daysheet
from ris.actions.daysheet import Scanner
from ris.middleware import glance
from ris.states import StepState
from ris.views import board_days, board_sheet, frame
from ris.views.board_days import REMEMBERED, Asked
from ris.views.board_sheet import Sheet
from ris.views.moves import BOOK, OVERBOOK

SEE = "ris.view_scheduledprocedurestep"
_NOW_LINE = re.compile(r'board-now [^"]*')


def show(request: HttpRequest) -> HttpResponse:
    """Show the board that the address asks for; without parameters, with the filters that were used last."""
    frame.require(request, SEE)
    remembered = request.session.get(REMEMBERED)
    if not request.GET and remembered:
        return redirect(f"{request.path}{_address(remembered)}")
    scanners = daysheet.scanners()
    asked = board_days.read(request, scanners)
    if asked is None:
        return frame.page(request, "desk/board_empty.html", title=_("Day board"))
    if request.GET:
        request.session[REMEMBERED] = asked.filters()
    heart = daysheet.pulse()
    sheet = _drawn(asked, scanners, may_move=request.user.has_perm(BOOK))
    body = _body(request, asked, sheet)
    audit.patients_listed(request, sheet.patients, subject="board")
    return frame.page(
        request,
        "desk/board.html",
        title=_("Day board"),
        heading=board_sheet.title_of(asked),
        asked=asked,
        body=body,
        tag=_tag(heart, body),
        now=str(int(timezone.now().timestamp())),
        before=asked.later(-1),
        after=asked.later(1),
        today=asked.address(day=asked.today),
        as_day=asked.address(station=None) if asked.station else "",
        sites=board_days.sites_of(scanners),
        all_sites=board_days.have_one_clock(board_days.sites_of(scanners)),
        modalities=board_days.modalities_of(scanners),
        states=[(state.value, state.label) for state in board_days.SHOWN_STATES],
        stations=[row.station for row in scanners if row.in_use],
        may_move=request.user.has_perm(BOOK),
        may_overbook=request.user.has_perm(OVERBOOK),
    )


def live(request: HttpRequest) -> HttpResponse:
    """Answer with what has changed on a board since the tag that its browser names; 304 when nothing has.

    Nobody has touched a key for this: it does not keep anybody signed in.
    """
    glance(request)
    frame.require(request, SEE)
    known = request.headers.get("If-None-Match", "")
    heart = daysheet.pulse()
    if known.startswith(f'"{heart}-'):
        return _unchanged(known)
    scanners = daysheet.scanners()
    asked = board_days.read(request, scanners)
    if asked is None:
        return HttpResponse(headers={"ETag": '""'})
    sheet = _drawn(asked, scanners, may_move=request.user.has_perm(BOOK))
    body = _body(request, asked, sheet)
    tag = _tag(heart, body)
    if tag.partition("-")[2] == known.partition("-")[2]:
        return _unchanged(tag)
    audit.patients_listed(request, sheet.patients, subject="board")
    return HttpResponse(body, headers={"ETag": tag, "Cache-Control": "no-store"})


def _unchanged(tag: str) -> HttpResponse:
    answer = HttpResponseNotModified()
    answer["ETag"] = tag
    return answer


def _tag(heart: str, body: str) -> str:
    """Return what names a state of the board: the pulse, and the text but for the line that moves with time."""
    words = sha1(_NOW_LINE.sub("", body).encode(), usedforsecurity=False).hexdigest()
    return f'"{heart}-{words[:16]}"'


def _drawn(asked: Asked, scanners: list[Scanner], *, may_move: bool) -> Sheet:
    """Read what the board shows, and draw it."""
    days = asked.days
    columns = daysheet.columns(asked.shown(scanners), days.since, days.until)
    arrivals = daysheet.arrivals([step for column in columns for step in column.steps])
    waiting = daysheet.to_schedule()
    modality = asked.station.station.modality if asked.station else asked.modality
    if modality:
        waiting = waiting.filter(modality=modality)
    if asked.site:
        waiting = waiting.filter(requested_procedure__order__site=asked.site)
    return board_sheet.draw(asked, columns, arrivals, list(waiting[: board_sheet.QUEUE + 1]), may_move=may_move)


def _body(request: HttpRequest, asked: Asked, sheet: Sheet) -> SafeString:
    context = {
        "sheet": sheet,
        "asked": asked,
        "may_move": request.user.has_perm(BOOK),
        "requested": StepState.REQUESTED,
        "orders": reverse("admin:ris_order_changelist"),
        "steps": reverse("admin:ris_scheduledprocedurestep_changelist"),
    }
    return render_to_string("desk/board_sheet.html", context, request)


def _address(remembered: Mapping[str, str]) -> str:
    """Return the parameters of an address from what a session remembers."""
    said = QueryDict(mutable=True)
    said.update(remembered)
    return f"?{said.urlencode()}"
