"""The database refuses overlapping bookings; stations and steps that are there already get theirs; who may do what."""

from typing import Any

from django.db import migrations

from ris.extensions import need_extension
from ris.roles import RIS_GRANTS, grant

# A step does not stand in its own way: a move writes the new booking before it takes the old one away.
POSTGRESQL_GUARD = """
ALTER TABLE ris_booking ADD CONSTRAINT booking_no_overlap_of_resource EXCLUDE USING gist
    (resource_id WITH =, tstzrange("start", "end") WITH &&, step_id WITH <>)
    WHERE (active AND NOT overbooked AND resource_id IS NOT NULL);
ALTER TABLE ris_booking ADD CONSTRAINT booking_no_overlap_of_patient EXCLUDE USING gist
    (patient_id WITH =, tstzrange("start", "end") WITH &&, step_id WITH <>)
    WHERE (active AND NOT overbooked AND patient_id IS NOT NULL);
"""

SQLITE_GUARD = """
CREATE TRIGGER ris_booking_no_overlap_{verb} BEFORE {verb} ON ris_booking
WHEN NEW.active AND NOT NEW.overbooked
BEGIN
    SELECT RAISE(ABORT, 'bookings overlap') WHERE EXISTS (
        SELECT 1 FROM ris_booking b
        WHERE b.resource_id = NEW.resource_id AND b.active AND NOT b.overbooked
          AND b.step_id <> NEW.step_id AND b.start < NEW."end" AND b."end" > NEW.start
    ) OR EXISTS (
        SELECT 1 FROM ris_booking b
        WHERE b.patient_id = NEW.patient_id AND b.active AND NOT b.overbooked
          AND b.step_id <> NEW.step_id AND b.start < NEW."end" AND b."end" > NEW.start
    );
END;
"""

SCANNERS = """
INSERT INTO ris_resource (kind, name, role, site_id, station_id, active)
SELECT 'SCANNER', s.name, '', s.site_id, s.id, TRUE FROM ris_station s ORDER BY s.id
"""

# Of two steps that take the same time the later row is the one that was overbooked.
BOOKINGS = """
INSERT INTO ris_booking (step_id, resource_id, patient_id, start, "end", active, overbooked, reason)
SELECT s.id, r.id, NULL, s.start, s."end", s.state IN ({open}), EXISTS (
    SELECT 1 FROM ris_scheduledprocedurestep t
    WHERE t.station_id = s.station_id AND t.state IN ({open}) AND t.id < s.id
      AND t.start < s."end" AND t."end" > s.start
), ''
FROM ris_scheduledprocedurestep s JOIN ris_resource r ON r.station_id = s.station_id AND r.kind = 'SCANNER'
WHERE s.start IS NOT NULL AND s.station_id IS NOT NULL AND s.state <> 'REQUESTED';
INSERT INTO ris_booking (step_id, resource_id, patient_id, start, "end", active, overbooked, reason)
SELECT s.id, NULL, o.patient_id, s.start, s."end", s.state IN ({open}), EXISTS (
    SELECT 1 FROM ris_order po
    JOIN ris_requestedprocedure pp ON pp.order_id = po.id
    JOIN ris_scheduledprocedurestep t ON t.requested_procedure_id = pp.id
    WHERE po.patient_id = o.patient_id AND t.station_id IS NOT NULL AND t.state IN ({open}) AND t.id < s.id
      AND t.start < s."end" AND t."end" > s.start
), ''
FROM ris_scheduledprocedurestep s
JOIN ris_requestedprocedure p ON p.id = s.requested_procedure_id JOIN ris_order o ON o.id = p.order_id
WHERE s.start IS NOT NULL AND s.station_id IS NOT NULL AND s.state <> 'REQUESTED'
"""
OPEN = "'SCHEDULED', 'ARRIVED', 'READY', 'STARTED', 'DEPARTED'"


def guard(apps: Any, schema_editor: Any) -> None:
    """Make the constraints or triggers of this vendor."""
    if schema_editor.connection.vendor == "postgresql":
        need_extension(schema_editor, "btree_gist")
        schema_editor.execute(POSTGRESQL_GUARD)
    else:
        for verb in ("INSERT", "UPDATE"):
            schema_editor.execute(SQLITE_GUARD.format(verb=verb))


def unguard(apps: Any, schema_editor: Any) -> None:
    """Drop them again."""
    if schema_editor.connection.vendor == "postgresql":
        for owner in ("resource", "patient"):
            schema_editor.execute(f"ALTER TABLE ris_booking DROP CONSTRAINT booking_no_overlap_of_{owner}")
    else:
        for verb in ("INSERT", "UPDATE"):
            schema_editor.execute(f"DROP TRIGGER ris_booking_no_overlap_{verb}")


def book_what_is_there(apps: Any, schema_editor: Any) -> None:
    """Make the scanners of the stations, and the bookings of the steps that have a place."""
    with schema_editor.connection.cursor() as cursor:
        for statement in (SCANNERS, *BOOKINGS.format(open=OPEN).split(";")):
            cursor.execute(statement)


def make_roles(apps: Any, schema_editor: Any) -> None:
    """Let schedulers keep the calendars, and overbook."""
    grant(apps, "ris", RIS_GRANTS)


class Migration(migrations.Migration):
    dependencies = (("ris", "0018_resources_and_bookings"),)
    operations = (
        migrations.RunPython(guard, unguard),
        migrations.RunPython(book_what_is_there, migrations.RunPython.noop),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    )
