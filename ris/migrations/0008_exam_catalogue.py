from typing import Any

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from ris.roles import Role, grant

ROWS = ("exampreparation", "examgap", "examquestion")
SEE = tuple(f"view_{noun}" for noun in ROWS)
KEEP = tuple(f"{verb}_{noun}" for verb in ("add", "change", "delete") for noun in ROWS)
SCHEDULE = (
    "add_exam",
    "change_exam",
    *(f"{verb}_{noun}" for verb in ("add", "change", "delete") for noun in ("examstep", "protocolcode")),
)


def let_schedulers_keep_it(apps: Any, schema_editor: Any) -> None:
    """Show the new rows to everybody; schedulers keep exams as informatics and administrators do."""
    grant(apps, "ris", dict.fromkeys(Role, SEE))
    grant(apps, "ris", {Role.SCHEDULER: (*SCHEDULE, *KEEP), Role.INFORMATICS: KEEP, Role.ADMINISTRATOR: KEEP})


class Migration(migrations.Migration):
    dependencies = [
        ("ris", "0007_number_moves"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExamGap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "after_contrast",
                    models.CharField(
                        blank=True,
                        help_text="As the exams name it; one of the two",
                        max_length=64,
                        verbose_name="not after contrast agent",
                    ),
                ),
                (
                    "length",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)], verbose_name="for"
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
                ("reason", models.CharField(blank=True, max_length=100, verbose_name="why")),
            ],
            options={
                "verbose_name": "exam to keep apart from",
                "verbose_name_plural": "exams to keep apart from",
                "ordering": ("exam", "pk"),
            },
        ),
        migrations.CreateModel(
            name="ExamPreparation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "language",
                    models.CharField(
                        help_text="ISO 639, as de",
                        max_length=3,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z]{2,3}$", "A language of two or three small letters (ISO 639), as de."
                            )
                        ],
                        verbose_name="language",
                    ),
                ),
                ("text", models.TextField(verbose_name="text")),
            ],
            options={
                "verbose_name": "preparation text",
                "verbose_name_plural": "preparation texts",
                "ordering": ("exam", "language"),
            },
        ),
        migrations.CreateModel(
            name="ExamQuestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField(default=1, verbose_name="number")),
                ("text", models.CharField(max_length=200, verbose_name="question")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("yesno", "yes or no"),
                            ("text", "text"),
                            ("number", "number"),
                            ("date", "date"),
                            ("side", "side"),
                            ("choice", "one of a list"),
                        ],
                        default="yesno",
                        max_length=8,
                        verbose_name="kind of answer",
                    ),
                ),
                (
                    "choices",
                    models.CharField(
                        blank=True,
                        help_text="For “one of a list”, with ; between them",
                        max_length=250,
                        verbose_name="choices",
                    ),
                ),
                ("required", models.BooleanField(default=False, verbose_name="required")),
            ],
            options={
                "verbose_name": "question when ordering",
                "verbose_name_plural": "questions when ordering",
                "ordering": ("exam", "number", "pk"),
            },
        ),
        migrations.AddField(
            model_name="exam",
            name="child_below",
            field=models.PositiveSmallIntegerField(
                default=12,
                help_text="Younger patients get the minutes for children",
                verbose_name="child below (years)",
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="child_cleanup_minutes",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="clean-up, child (min)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="child_duration",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: as for adults", null=True, verbose_name="scan, child (min)"
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="child_preparation_minutes",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="preparation, child (min)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="cleanup_minutes",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="clean-up (min)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="laterality",
            field=models.CharField(
                blank=True,
                choices=[("R", "right"), ("L", "left"), ("B", "both sides")],
                max_length=1,
                verbose_name="side",
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="lead_time",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="At least so long between the order and the exam", verbose_name="lead time (hours)"
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="loinc_code",
            field=models.CharField(
                blank=True,
                help_text="LOINC/RSNA Radiology Playbook",
                max_length=16,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[0-9]{1,7}-[0-9]$", "A LOINC code is digits, a dash and a check digit, as 30746-2."
                    )
                ],
                verbose_name="LOINC code",
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="max_age",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to age (years)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="max_weight",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to weight (kg)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="min_age",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from age (years)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="min_weight",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from weight (kg)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="playbook_code",
            field=models.CharField(
                blank=True,
                help_text="As RPID16",
                max_length=16,
                validators=[
                    django.core.validators.RegexValidator(
                        "^RPID[0-9]{1,8}$", "A RadLex Playbook code is RPID and a number, as RPID16."
                    )
                ],
                verbose_name="RadLex Playbook code",
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="preparation_minutes",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="preparation (min)"),
        ),
        migrations.AddField(
            model_name="exam",
            name="valid_from",
            field=models.DateField(blank=True, null=True, verbose_name="valid from"),
        ),
        migrations.AddField(
            model_name="exam",
            name="valid_until",
            field=models.DateField(blank=True, help_text="The last day", null=True, verbose_name="valid until"),
        ),
        migrations.AddField(
            model_name="examstep",
            name="child_cleanup_minutes",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="clean-up, child (min)"),
        ),
        migrations.AddField(
            model_name="examstep",
            name="child_duration",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: as for adults", null=True, verbose_name="scan, child (min)"
            ),
        ),
        migrations.AddField(
            model_name="examstep",
            name="child_preparation_minutes",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="preparation, child (min)"),
        ),
        migrations.AddField(
            model_name="examstep",
            name="cleanup_minutes",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="clean-up (min)"),
        ),
        migrations.AddField(
            model_name="examstep",
            name="preparation_minutes",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="preparation (min)"),
        ),
        migrations.AddField(
            model_name="station",
            name="max_weight",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="What its table carries; empty: no limit",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="greatest weight (kg)",
            ),
        ),
        migrations.AlterField(
            model_name="exam",
            name="duration",
            field=models.PositiveSmallIntegerField(
                default=15, validators=[django.core.validators.MinValueValidator(1)], verbose_name="scan (min)"
            ),
        ),
        migrations.AlterField(
            model_name="exam",
            name="preparation",
            field=models.TextField(
                blank=True, help_text="For patients whose language has no text of its own", verbose_name="preparation"
            ),
        ),
        migrations.AlterField(
            model_name="examstep",
            name="duration",
            field=models.PositiveSmallIntegerField(
                default=15, validators=[django.core.validators.MinValueValidator(1)], verbose_name="scan (min)"
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(("child_duration__isnull", True), ("child_duration__gt", 0), _connector="OR"),
                name="exam_takes_time_for_children",
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(("laterality__in", ["", "R", "L", "B"])), name="exam_laterality_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("min_age__isnull", True),
                    ("max_age__isnull", True),
                    ("max_age__gte", models.F("min_age")),
                    _connector="OR",
                ),
                name="exam_age_limits_in_order",
                violation_error_message="The least value is above the greatest.",
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("min_weight__isnull", True),
                    ("max_weight__isnull", True),
                    ("max_weight__gte", models.F("min_weight")),
                    _connector="OR",
                ),
                name="exam_weight_limits_in_order",
                violation_error_message="The least value is above the greatest.",
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_until__isnull", True),
                    ("valid_until__gte", models.F("valid_from")),
                    _connector="OR",
                ),
                name="exam_validity_in_order",
                violation_error_message="“Valid until” is before “valid from”.",
            ),
        ),
        migrations.AddConstraint(
            model_name="examstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("child_duration__isnull", True), ("child_duration__gt", 0), _connector="OR"),
                name="exam_step_takes_time_for_children",
            ),
        ),
        migrations.AddConstraint(
            model_name="station",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_weight__isnull", True), ("max_weight__gt", 0), _connector="OR"),
                name="station_carries_weight",
            ),
        ),
        migrations.AddField(
            model_name="examgap",
            name="after",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="gaps_before",
                to="ris.exam",
                verbose_name="not after exam",
            ),
        ),
        migrations.AddField(
            model_name="examgap",
            name="exam",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="gaps", to="ris.exam", verbose_name="exam"
            ),
        ),
        migrations.AddField(
            model_name="exampreparation",
            name="exam",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="preparations",
                to="ris.exam",
                verbose_name="exam",
            ),
        ),
        migrations.AddField(
            model_name="examquestion",
            name="exam",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="questions",
                to="ris.exam",
                verbose_name="exam",
            ),
        ),
        migrations.AddConstraint(
            model_name="examgap",
            constraint=models.UniqueConstraint(fields=("exam", "after"), name="exam_gap_once_an_exam"),
        ),
        migrations.AddConstraint(
            model_name="examgap",
            constraint=models.UniqueConstraint(
                condition=models.Q(("after_contrast", ""), _negated=True),
                fields=("exam", "after_contrast"),
                name="exam_gap_once_a_contrast",
            ),
        ),
        migrations.AddConstraint(
            model_name="examgap",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("after__isnull", False), ("after_contrast", "")),
                    models.Q(("after__isnull", True), models.Q(("after_contrast", ""), _negated=True)),
                    _connector="OR",
                ),
                name="exam_gap_after_one_thing",
                violation_error_message="Name either an exam or a contrast agent.",
            ),
        ),
        migrations.AddConstraint(
            model_name="examgap",
            constraint=models.CheckConstraint(condition=models.Q(("length__gt", 0)), name="exam_gap_has_length"),
        ),
        migrations.AddConstraint(
            model_name="examgap",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit__in", ["h", "d", "w"])), name="exam_gap_unit_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="exampreparation",
            constraint=models.UniqueConstraint(fields=("exam", "language"), name="exam_preparation_once_a_language"),
        ),
        migrations.AddConstraint(
            model_name="examquestion",
            constraint=models.UniqueConstraint(fields=("exam", "number"), name="exam_question_number_unique"),
        ),
        migrations.AddConstraint(
            model_name="examquestion",
            constraint=models.CheckConstraint(
                condition=models.Q(("text", ""), _negated=True), name="exam_question_not_empty"
            ),
        ),
        migrations.AddConstraint(
            model_name="examquestion",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["yesno", "text", "number", "date", "side", "choice"])),
                name="exam_question_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="examquestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "choice"), models.Q(("choices", ""), _negated=True)),
                    models.Q(models.Q(("kind", "choice"), _negated=True), ("choices", "")),
                    _connector="OR",
                ),
                name="exam_question_choices_where_needed",
                violation_error_message="“One of a list” needs choices, and only that.",
            ),
        ),
        migrations.RunPython(let_schedulers_keep_it, migrations.RunPython.noop),
    ]
