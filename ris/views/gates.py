"""How the safety questions of an order stand, as its pages show it."""

from typing import Any

from django.utils.translation import gettext as _

from ris.actions import gate
from ris.actions.safety import NEGATIVE, OPEN, POSITIVE, Finding
from ris.models import Order, PregnancyStatus, Topic
from ris.states import BEFORE_START


def gated(order: Order) -> list[dict[str, Any]]:
    """Return the steps of an order that questions apply to and that have not begun, with how each question stands."""
    found = []
    for procedure in order.procedures.all():
        for step in procedure.steps.all():
            if step.gate and step.state in BEFORE_START:
                procedure.order = order
                step.requested_procedure = procedure
                lines = [line_of(finding) for finding in gate.verdict_of(step).findings]
                found.append({"step": step, "lines": lines, "shut": gate.is_shut(step)})
    return found


def line_of(finding: Finding) -> dict[str, Any]:
    """Return what a page shows of one question."""
    return {
        "finding": finding,
        "word": {OPEN: _("open"), POSITIVE: _("positive"), NEGATIVE: _("negative")}[finding.status],
        "value": shown(finding),
    }


def shown(finding: Finding) -> str:
    """Return an answer as people read it."""
    if finding.value and finding.rule.topic == Topic.PREGNANCY:
        return str(PregnancyStatus(int(finding.value)).label)
    return {"yes": _("yes"), "no": _("no")}.get(finding.value, finding.value)
