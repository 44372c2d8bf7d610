"""The table of order controls, which a site may change."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hl7.controls import Action


class OrderControl(models.Model):
    """One row of the table that says what an order control and status mean; hl7.controls has the rows to begin with."""

    control = models.CharField(_("order control"), max_length=8, help_text=_("ORC-1"))
    status = models.CharField(
        _("order status"), max_length=8, blank=True, help_text=_("ORC-5; empty: any that has no row of its own")
    )
    action = models.CharField(_("what is done"), max_length=16, choices=Action)

    class Meta:
        verbose_name = _("order control")
        verbose_name_plural = _("order controls")
        ordering = ("control", "status")
        constraints = (
            models.UniqueConstraint(fields=("control", "status"), name="order_control_once"),
            models.CheckConstraint(condition=~Q(control=""), name="order_control_not_empty"),
            models.CheckConstraint(condition=Q(action__in=Action.values), name="order_control_action_known"),
        )

    def __str__(self) -> str:
        return f"{self.control} {self.status}".strip()

    def clean(self) -> None:
        """Write both codes as they are compared."""
        self.control, self.status = self.control.strip().upper(), self.status.strip().upper()
