"""The desk: Django's admin as the working place of front desk, schedulers, technologists and informatics."""

from ris.admin import account, calendar, catalog, event, menu, order, patient, performed, screening, step

__all__ = ["account", "calendar", "catalog", "event", "menu", "order", "patient", "performed", "screening", "step"]
