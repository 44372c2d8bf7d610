from typing import Any

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from ris.roles import Role, grant

SEE = ("view_screeningrule", "view_screeninganswer", "view_gateoverride")
ANSWER = ("add_screeninganswer",)
OVERRIDE = ("override_gate",)
KEEP = ("add_screeningrule", "change_screeningrule", "delete_screeningrule")
GRANTS = {
    Role.FRONT_DESK: (*SEE, *ANSWER),
    Role.SCHEDULER: (*SEE, *ANSWER),
    Role.TECHNOLOGIST: (*SEE, *ANSWER),
    Role.RADIOLOGIST: (*SEE, *ANSWER, *OVERRIDE),
    Role.INFORMATICS: (*SEE, *ANSWER, *OVERRIDE, *KEEP),
    Role.ADMINISTRATOR: (*SEE, *KEEP),
}


def give_the_roles_their_part(apps: Any, schema_editor: Any) -> None:
    """Let those answer who see the patient, and radiologists override."""
    grant(apps, "ris", GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("ris", "0024_order_answers"),
    ]

    operations = [
        migrations.CreateModel(
            name="GateOverride",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("findings", models.JSONField(default=list, verbose_name="in spite of")),
                ("reason", models.CharField(max_length=250, verbose_name="why")),
                ("overridden_by", models.CharField(max_length=150, verbose_name="by")),
                ("overridden_at", models.DateTimeField(auto_now_add=True, verbose_name="when")),
            ],
            options={
                "verbose_name": "override",
                "verbose_name_plural": "overrides",
                "ordering": ("-pk",),
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ScreeningAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "value",
                    models.CharField(
                        help_text="yes, no, a number, or Pregnancy Status", max_length=16, verbose_name="answer"
                    ),
                ),
                ("measured_on", models.DateField(blank=True, null=True, verbose_name="day of the value")),
                ("note", models.CharField(blank=True, max_length=250, verbose_name="note")),
                ("answered_by", models.CharField(max_length=150, verbose_name="answered by")),
                ("answered_at", models.DateTimeField(auto_now_add=True, verbose_name="answered")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="holds until")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="out of date since")),
            ],
            options={
                "verbose_name": "answer",
                "verbose_name_plural": "answers",
                "ordering": ("-pk",),
                "default_permissions": ("view", "add"),
            },
        ),
        migrations.CreateModel(
            name="ScreeningRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question", models.CharField(max_length=200, verbose_name="question")),
                (
                    "topic",
                    models.CharField(
                        choices=[
                            ("implant", "implant or metal"),
                            ("kidney", "kidney function"),
                            ("allergy", "allergy"),
                            ("pregnancy", "pregnancy"),
                            ("weight", "weight"),
                            ("other", "something else"),
                        ],
                        max_length=16,
                        verbose_name="about",
                    ),
                ),
                (
                    "modality",
                    models.CharField(
                        blank=True,
                        help_text="Either an exam or a modality",
                        max_length=16,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z0-9_ ]{1,16}$", "Up to 16 capital letters, digits or _ (DICOM VR CS)."
                            )
                        ],
                        verbose_name="modality",
                    ),
                ),
                ("only_with_contrast", models.BooleanField(default=False, verbose_name="only with contrast agent")),
                (
                    "sex",
                    models.CharField(
                        blank=True,
                        choices=[("M", "male"), ("F", "female"), ("O", "other")],
                        max_length=1,
                        verbose_name="only for",
                    ),
                ),
                ("min_age", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from age (years)")),
                ("max_age", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to age (years)")),
                (
                    "limit",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Kidney function: positive below. Weight: positive above; empty: what the station's table carries",
                        max_digits=7,
                        null=True,
                        verbose_name="limit",
                    ),
                ),
                (
                    "valid_for",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="How long an answer holds, from the day of a value on; empty: for its order only",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="valid for",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[("h", "hours"), ("d", "days"), ("w", "weeks")],
                        default="d",
                        max_length=1,
                        verbose_name="unit",
                    ),
                ),
                (
                    "when_open",
                    models.CharField(
                        choices=[
                            ("hold", "keep the exam off the worklist"),
                            ("tell", "release it and tell the scanner"),
                        ],
                        default="hold",
                        max_length=4,
                        verbose_name="without an answer",
                    ),
                ),
                (
                    "when_positive",
                    models.CharField(
                        choices=[
                            ("hold", "keep the exam off the worklist"),
                            ("tell", "release it and tell the scanner"),
                        ],
                        default="hold",
                        max_length=4,
                        verbose_name="when positive",
                    ),
                ),
                (
                    "tells",
                    models.CharField(
                        choices=[("alerts", "Medical Alerts (0010,2000)"), ("needs", "Special Needs (0038,0050)")],
                        default="alerts",
                        max_length=8,
                        verbose_name="tell in",
                    ),
                ),
                (
                    "alert",
                    models.CharField(help_text="As “Pacemaker”", max_length=40, verbose_name="words for the scanner"),
                ),
                (
                    "rank",
                    models.PositiveSmallIntegerField(
                        default=100, help_text="Lower numbers are asked first", verbose_name="rank"
                    ),
                ),
                ("active", models.BooleanField(default=True, verbose_name="in use")),
            ],
            options={
                "verbose_name": "safety question",
                "verbose_name_plural": "safety questions",
                "ordering": ("rank", "pk"),
            },
        ),
        migrations.AlterModelOptions(
            name="scheduledprocedurestep",
            options={
                "ordering": ("start", "pk"),
                "permissions": (
                    ("book_step", "Can book, move and unbook steps"),
                    ("check_in_step", "Can check patients in and mark no-shows"),
                    ("perform_step", "Can start, complete and discontinue steps"),
                    ("view_worklist", "Can see the worklist of a station"),
                    ("override_gate", "Can let a step through in spite of safety questions"),
                ),
                "verbose_name": "scheduled procedure step",
                "verbose_name_plural": "scheduled procedure steps",
            },
        ),
        migrations.AddField(
            model_name="scheduledprocedurestep",
            name="gate",
            field=models.CharField(
                blank=True,
                choices=[
                    ("OPEN", "questions are open"),
                    ("POSITIVE", "held back for an answer"),
                    ("CLEARED", "cleared"),
                    ("OVERRIDDEN", "let through by a person"),
                ],
                editable=False,
                max_length=10,
                verbose_name="safety gate",
            ),
        ),
        migrations.AddField(
            model_name="scheduledprocedurestep",
            name="gate_alerts",
            field=models.CharField(
                blank=True, editable=False, max_length=250, verbose_name="medical alerts from questions"
            ),
        ),
        migrations.AddField(
            model_name="scheduledprocedurestep",
            name="gate_needs",
            field=models.CharField(
                blank=True, editable=False, max_length=64, verbose_name="special needs from questions"
            ),
        ),
        migrations.AddField(
            model_name="scheduledprocedurestep",
            name="gate_pregnancy",
            field=models.PositiveSmallIntegerField(editable=False, null=True, verbose_name="pregnancy from questions"),
        ),
        migrations.AddField(
            model_name="scheduledprocedurestep",
            name="gate_until",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="Empty: without end", null=True, verbose_name="cleared until"
            ),
        ),
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
        migrations.AlterField(
            model_name="exam",
            name="lead_time",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="At least so long from now to the exam, for the patient to prepare",
                verbose_name="lead time (hours)",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledprocedurestep",
            constraint=models.CheckConstraint(
                condition=models.Q(("gate__in", ["", "OPEN", "POSITIVE", "CLEARED", "OVERRIDDEN"])),
                name="step_gate_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledprocedurestep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("gate__in", ("OPEN", "POSITIVE")), _negated=True),
                    ("gate_until__isnull", False),
                    _connector="OR",
                ),
                name="step_gate_shut",
            ),
        ),
        migrations.AddField(
            model_name="gateoverride",
            name="step",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="overrides",
                to="ris.scheduledprocedurestep",
                verbose_name="scheduled procedure step",
            ),
        ),
        migrations.AddField(
            model_name="screeninganswer",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answers",
                to="ris.order",
                verbose_name="order",
            ),
        ),
        migrations.AddField(
            model_name="screeninganswer",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answers",
                to="ris.patient",
                verbose_name="patient",
            ),
        ),
        migrations.AddField(
            model_name="screeningrule",
            name="exam",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="screening",
                to="ris.exam",
                verbose_name="exam",
            ),
        ),
        migrations.AddField(
            model_name="screeninganswer",
            name="rule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answers",
                to="ris.screeningrule",
                verbose_name="question",
            ),
        ),
        migrations.AddConstraint(
            model_name="gateoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="gate_override_has_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("exam__isnull", False), ("modality", "")),
                    models.Q(("exam__isnull", True), models.Q(("modality", ""), _negated=True)),
                    _connector="OR",
                ),
                name="screening_of_exam_or_modality",
                violation_error_message="Name either an exam or a modality.",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("topic__in", ["implant", "kidney", "allergy", "pregnancy", "weight", "other"])),
                name="screening_topic_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("sex__in", ["", "M", "F", "O"])), name="screening_sex_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit__in", ["h", "d", "w"])), name="screening_unit_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("when_open__in", ["hold", "tell"]), ("when_positive__in", ["hold", "tell"])),
                name="screening_effect_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("tells__in", ["alerts", "needs"])), name="screening_tells_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_for__isnull", True), ("valid_for__gt", 0), _connector="OR"),
                name="screening_answer_holds",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("topic", "kidney"), _negated=True), ("limit__isnull", False), _connector="OR"
                ),
                name="screening_kidney_has_limit",
                violation_error_message="Kidney function needs a limit.",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("min_age__isnull", True),
                    ("max_age__isnull", True),
                    ("max_age__gte", models.F("min_age")),
                    _connector="OR",
                ),
                name="screening_age_limits_in_order",
                violation_error_message="The least value is above the greatest.",
            ),
        ),
        migrations.AddIndex(
            model_name="screeninganswer",
            index=models.Index(fields=["patient", "rule", "-id"], name="screening_answer_idx"),
        ),
        migrations.AddConstraint(
            model_name="screeninganswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("value", ""), _negated=True), name="screening_answer_not_empty"
            ),
        ),
        migrations.RunPython(give_the_roles_their_part, migrations.RunPython.noop),
    ]
