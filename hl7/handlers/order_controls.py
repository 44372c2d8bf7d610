"""Look up what an order control means, from memory: the table is read once in a while, not for each message."""

from django.db.models.signals import post_delete, post_save

from hl7.controls import ANY_STATUS, Action
from hl7.models import OrderControl
from ris.actions import catalogue


def action_of(control: str, status: str) -> Action | None:
    """Return what is done for ORC-1 and ORC-5: by the row of both, else by the row of any status; None without one."""
    rows = catalogue.remembered(OrderControl, _rows)
    return rows.get((control, status)) or rows.get((control, ANY_STATUS))


def _rows() -> dict[tuple[str, str], Action]:
    found = OrderControl.objects.order_by().values_list("control", "status", "action")
    return {(control, status): Action(action) for control, status, action in found}


for _signal in (post_save, post_delete):
    _signal.connect(catalogue.forget, sender=OrderControl, dispatch_uid="order controls")
