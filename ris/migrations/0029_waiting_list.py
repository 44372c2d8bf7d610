"""The waiting list, and the offers of freed times."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from ris.roles import RIS_GRANTS, grant


def give(apps: Any, schema_editor: Any) -> None:
    """Let the desks keep the waiting list."""
    grant(apps, "ris", RIS_GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("ris", "0028_insurance"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="kind",
            field=models.CharField(
                choices=[
                    ("patient.registered", "patient registered"),
                    ("patient.updated", "patient updated"),
                    ("patient.identified", "patient identifier added"),
                    ("patient.renumbered", "patient number changed"),
                    ("patient.number_moved", "number moved to another patient"),
                    ("patient.merged", "patients merged"),
                    ("patient.unmerged", "merge undone"),
                    ("patient.linked", "patients linked"),
                    ("patient.unlinked", "patients no longer linked"),
                    ("patient.deleted", "patient's record deleted by the sender"),
                    ("patient.restored", "patient's record in use again"),
                    ("patient.viewed", "patient viewed"),
                    ("patient.listed", "list of patients viewed"),
                    ("visit.opened", "visit opened"),
                    ("visit.updated", "visit updated"),
                    ("visit.transferred", "patient transferred"),
                    ("visit.transfer_canceled", "transfer cancelled"),
                    ("visit.discharged", "patient discharged"),
                    ("visit.discharge_canceled", "discharge cancelled"),
                    ("visit.class_changed", "patient class changed"),
                    ("visit.departed", "patient left a place"),
                    ("visit.arrived", "patient arrived at a place"),
                    ("visit.departure_canceled", "departure cancelled"),
                    ("visit.arrival_canceled", "arrival cancelled"),
                    ("visit.canceled", "visit cancelled"),
                    ("visit.deleted", "visit deleted by the sender"),
                    ("visit.moved", "visit moved to another patient"),
                    ("visit.renumbered", "visit number changed"),
                    ("visit.merged", "visits merged"),
                    ("order.placed", "order placed"),
                    ("order.changed", "order changed"),
                    ("order.canceled", "order cancelled"),
                    ("order.discontinued", "order discontinued"),
                    ("order.replaced", "order replaced by another one"),
                    ("order.linked", "order made part of another one"),
                    ("order.held", "order put on hold"),
                    ("order.released", "order released"),
                    ("order.marked", "order marked for attention"),
                    ("order.settled", "attention settled"),
                    ("step.booked", "step booked"),
                    ("step.moved", "step moved"),
                    ("step.unbooked", "step taken off the schedule"),
                    ("step.changed", "step changed"),
                    ("step.canceled", "step cancelled"),
                    ("step.arrived", "patient checked in"),
                    ("step.ready", "patient ready"),
                    ("step.started", "exam started"),
                    ("step.departed", "patient left"),
                    ("step.completed", "exam completed"),
                    ("step.discontinued", "exam discontinued"),
                    ("step.missed", "patient did not come"),
                    ("step.reopened", "step put back"),
                    ("step.held_back", "held back from the worklist"),
                    ("step.cleared", "cleared for the worklist"),
                    ("step.overridden", "let through in spite of safety questions"),
                    ("waiting.listed", "put on the waiting list"),
                    ("waiting.ended", "off the waiting list"),
                    ("slot.offered", "freed time offered"),
                    ("slot.accepted", "offered time accepted"),
                    ("slot.declined", "offered time declined"),
                    ("slot.expired", "offered time expired"),
                    ("question.answered", "safety question answered"),
                    ("performed.begun", "scanner has begun"),
                    ("performed.updated", "scanner tells more"),
                    ("performed.completed", "scanner has finished"),
                    ("performed.discontinued", "scanner has stopped"),
                    ("performed.linked", "performed step linked with the order"),
                    ("performed.unlinked", "performed step taken off the order"),
                    ("performed.set_aside", "performed step set aside"),
                    ("performed.resent", "scanner's report sent to the archive again"),
                    ("message.replayed", "message sent again"),
                    ("message.dismissed", "message dismissed"),
                    ("document.printed", "document printed"),
                    ("catalog.changed", "catalogue changed"),
                    ("message.purged", "old messages deleted"),
                    ("record.viewed", "record viewed"),
                    ("account.changed", "account changed"),
                    ("account.signed_in", "signed in"),
                    ("account.signed_out", "signed out"),
                    ("account.sign_in_failed", "sign-in failed"),
                    ("account.locked_out", "locked out"),
                ],
                max_length=32,
                verbose_name="what",
            ),
        ),
        migrations.CreateModel(
            name="WaitingListEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("WAITING", "waiting"),
                            ("SERVED", "got a place that was offered"),
                            ("REMOVED", "taken off"),
                            ("OVER", "the exam needs no place any more"),
                        ],
                        default="WAITING",
                        editable=False,
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "since",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="since"),
                ),
                (
                    "priority",
                    models.CharField(
                        choices=[
                            ("STAT", "at once"),
                            ("HIGH", "urgent"),
                            ("ROUTINE", "routine"),
                            ("MEDIUM", "medium"),
                            ("LOW", "low"),
                        ],
                        default="ROUTINE",
                        max_length=8,
                        verbose_name="priority",
                    ),
                ),
                (
                    "earliest",
                    models.DateField(
                        blank=True, help_text="First day that would do; empty: any", null=True, verbose_name="from"
                    ),
                ),
                (
                    "latest",
                    models.DateField(
                        blank=True, help_text="Last day that would do; empty: any", null=True, verbose_name="until"
                    ),
                ),
                (
                    "notice",
                    models.PositiveSmallIntegerField(
                        default=2,
                        help_text="How long before the time the patient must be told",
                        verbose_name="hours of notice",
                    ),
                ),
                ("stations", models.JSONField(blank=True, default=list, verbose_name="stations")),
                (
                    "phone",
                    models.CharField(
                        blank=True,
                        help_text="Where and when the patient can be reached for this",
                        max_length=80,
                        verbose_name="phone",
                    ),
                ),
                ("notes", models.CharField(blank=True, max_length=250, verbose_name="notes")),
                ("ended_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ended")),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: any site",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="ris.site",
                        verbose_name="site",
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waiting",
                        to="ris.scheduledprocedurestep",
                        verbose_name="step",
                    ),
                ),
            ],
            options={
                "verbose_name": "entry of the waiting list",
                "verbose_name_plural": "waiting list",
                "ordering": ("since", "pk"),
                "permissions": (("keep_waiting_list", "Can put patients on the waiting list, and take them off"),),
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="SlotOffer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("start", models.DateTimeField(verbose_name="start")),
                ("end", models.DateTimeField(verbose_name="end")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "open"),
                            ("ACCEPTED", "accepted"),
                            ("DECLINED", "declined"),
                            ("EXPIRED", "expired"),
                        ],
                        default="OPEN",
                        editable=False,
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "made_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="made"),
                ),
                ("expires_at", models.DateTimeField(editable=False, verbose_name="expires")),
                ("closed_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="closed")),
                (
                    "freed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="freed",
                        to="ris.scheduledprocedurestep",
                        verbose_name="freed by",
                    ),
                ),
                (
                    "station",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ris.station",
                        verbose_name="station",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="ris.waitinglistentry",
                        verbose_name="entry",
                    ),
                ),
            ],
            options={
                "verbose_name": "offer of a freed time",
                "verbose_name_plural": "offers of freed times",
                "ordering": ("start", "pk"),
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="waitinglistentry",
            index=models.Index(condition=models.Q(("state", "WAITING")), fields=["since"], name="waiting_since_idx"),
        ),
        migrations.AddConstraint(
            model_name="waitinglistentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "WAITING")), fields=("step",), name="waiting_once_for_each_step"
            ),
        ),
        migrations.AddConstraint(
            model_name="waitinglistentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["WAITING", "SERVED", "REMOVED", "OVER"])), name="waiting_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="waitinglistentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("priority__in", ["STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW"])),
                name="waiting_priority_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="waitinglistentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state", "WAITING")),
                    models.Q(models.Q(("state", "WAITING"), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="waiting_or_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="waitinglistentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("earliest__isnull", True),
                    ("latest__isnull", True),
                    ("latest__gte", models.F("earliest")),
                    _connector="OR",
                ),
                name="waiting_days_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="slotoffer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "OPEN")), fields=("station", "start"), name="offer_one_open_of_each_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="slotoffer",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["OPEN", "ACCEPTED", "DECLINED", "EXPIRED"])), name="offer_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="slotoffer",
            constraint=models.CheckConstraint(
                condition=models.Q(("end__gt", models.F("start"))), name="offer_ends_after_start"
            ),
        ),
        migrations.AddConstraint(
            model_name="slotoffer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("state", "OPEN")),
                    models.Q(models.Q(("state", "OPEN"), _negated=True), ("closed_at__isnull", False)),
                    _connector="OR",
                ),
                name="offer_open_or_closed",
            ),
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
