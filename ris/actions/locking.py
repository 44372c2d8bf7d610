"""How verbs lock what they change: the order, and nothing below it. See docs/decisions/lock-the-order.md."""

from typing import Any

from django.db.models import QuerySet

from ris.models import Order


def locked_order(**which: Any) -> Order:
    """Return a fresh copy of the one order, with patient, site and visit, locked for this transaction.

    When the patient was merged while we waited for the lock, PostgreSQL compares the order as it is now with the
    patient as it was at the start of the statement, and finds nothing. The lock is ours by then: asked again, the
    statement sees both as they are now.
    """
    orders = Order.objects.select_for_update(of=("self",), no_key=True).select_related("patient", "site", "visit")
    try:
        return orders.get(**which)
    except Order.DoesNotExist:
        return orders.get(**which)


def locked_orders(orders: QuerySet[Order]) -> list[Order]:
    """Return fresh copies of orders, locked for this transaction in the order of their keys.

    The query joins nothing, since an order whose patient is merged in that moment would be left out. What belongs to
    the orders is fetched when the locks are ours (prefetch_related).
    """
    return list(orders.select_for_update(no_key=True).order_by("pk"))
