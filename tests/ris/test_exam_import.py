"""The exam catalogue as a file: out, changed in a spreadsheet, looked at, and in again."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from openpyxl import Workbook, load_workbook

from ris import spreadsheets
from ris.actions import exam_import, exam_table
from ris.actions.exam_import import Outcome, Plan
from ris.errors import ForbiddenMove, InvalidValue
from ris.models import CatalogueUpload, Event, EventKind, Exam, ExamGap, ExamNeed, ExamPreparation, ExamQuestion
from ris.roles import Role
from tests import factories
from tests.refusals import refused
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalogue() -> Exam:
    """Two exams with everything that an exam can have."""
    ct1 = factories.station("CT1")
    barium = factories.exam("RFSWALL", modality="RF", contrast_agent="Barium sulphate")
    biopsy = factories.exam(
        "CTBIOPSY",
        steps=(("Planning scan", "CT", 15), ("Biopsy", "", 45)),
        preparation="Do not eat.\nBring your values.",
        laterality="L",
        child_duration=30,
        min_age=6,
        lead_time=24,
    )
    factories.protocol_code(biopsy, "CT-PLAN")
    biopsy.stations.add(ct1)
    ExamPreparation.new(exam=biopsy, language="de", text="Nüchtern kommen.")
    for role in ("", "Nurse", "Nurse"):
        ExamNeed.new(exam=biopsy, step_number=2, kind="STAFF" if role else "ROOM", role=role)
    ExamGap.new(exam=biopsy, after=barium, length=8, unit="w", reason="Barium hides it")
    ExamQuestion.new(exam=biopsy, number=1, text="Which lung?", kind="choice", choices="left;right", required=True)
    return biopsy


def table(*rows: dict[str, str]) -> spreadsheets.Table:
    head = list(dict.fromkeys(name for row in rows for name in row))
    return [head, *([row.get(name, "") for name in head] for row in rows)]


def run(*rows: dict[str, str]) -> Plan:
    """Import rows as a person does who looks at the plan first."""
    upload = exam_import.keep(by=factories.BY, name="exams.csv", content=spreadsheets.to_csv(table(*rows)))
    plan = exam_import.plan_of(upload)
    return exam_import.apply(by=factories.BY, upload=upload, digest=plan.digest)


# --- out and in again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_was_exported_changes_nothing_when_it_comes_back(catalogue: Exam, kind: str) -> None:
    rows = exam_table.whole()
    content = spreadsheets.to_csv(rows) if kind == "csv" else spreadsheets.to_xlsx(rows, "Exams")
    plan = exam_import.plan(spreadsheets.read(f"exams.{kind}", content))
    assert [(row.outcome, row.error, row.changes) for row in plan.rows] == [(Outcome.UNCHANGED, "", {})] * 2
    assert not plan.can_be_applied


def test_an_export_makes_the_same_catalogue_elsewhere(catalogue: Exam) -> None:
    rows = exam_table.whole()
    ExamGap.objects.all().delete()
    Exam.objects.all().delete()
    head, *body = rows
    run(*(dict(zip(head, row, strict=True)) for row in body))
    assert exam_table.whole() == rows


def test_a_row_changes_what_its_columns_say_and_nothing_else(catalogue: Exam) -> None:
    plan = run({"code": "CTBIOPSY", "meaning": "CT guided biopsy", "active": "no", "duration": "50"})
    catalogue.refresh_from_db()
    assert (catalogue.meaning, catalogue.active, catalogue.duration) == ("CT guided biopsy", False, 50)
    assert (catalogue.lead_time, catalogue.steps.count(), catalogue.gaps.count()) == (24, 2, 1)
    assert plan.rows[0].changes["duration"] == ["20", "50"]
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert (event.subject, event.data["change"]) == (f"ris.exam:{catalogue.pk}", "changed")
    assert event.cause.startswith("import:")


def test_rows_below_an_exam_are_found_again_by_their_numbers(catalogue: Exam) -> None:
    question = catalogue.questions.get()
    run(
        {
            "code": "CTBIOPSY",
            "questions": "1 | Which lung do you mean? | choice | yes | left;right\n2 | Blood thinners? | yesno",
            "steps": "2 | Biopsy | | 5 | 45 | 10",
            "keep_apart": " | Iodine | 2 | d\nRFSWALL | | 4 | w",
            "needs": "1 | EQUIPMENT | Injector\n1 | STAFF | Nurse\n1 | STAFF | Nurse",
            "preparation_de": "",
            "preparation_fr": "À jeun.",
            "stations": "",
        }
    )
    question.refresh_from_db()
    assert question.text == "Which lung do you mean?"
    assert [row.text for row in catalogue.questions.all()][1:] == ["Blood thinners?"]
    assert [(step.number, step.minutes()) for step in catalogue.steps.all()] == [(2, 60)]
    assert [gap.span_text for gap in catalogue.gaps.order_by("length")] == ["2 days", "4 weeks"]
    assert [str(need) for need in catalogue.needs.all()] == ["Injector", "Nurse", "Nurse"]
    assert [row.language for row in catalogue.preparations.all()] == ["fr"]
    assert not catalogue.stations.exists()


def test_new_exams_may_name_each_other() -> None:
    base = {"modality": "RF", "meaning": "Swallow"}
    plan = run(base | {"code": "A", "keep_apart": "B | | 8 | w"}, base | {"code": "B"})
    assert [row.outcome for row in plan.rows] == [Outcome.NEW] * 2
    assert Exam.objects.get(code="A").gaps.get().after == Exam.objects.get(code="B")
    assert Event.objects.filter(kind=EventKind.CATALOG_CHANGED, data__change="added").count() == 2


# --- rows that are wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"code": ""}, "The code is missing."),
        ({"code": "NEW", "modality": ""}, "A new exam needs: modality."),
        ({"code": "CTBIOPSY", "duration": "long"}, "scan (min): “long” value must be an integer."),
        ({"code": "CTBIOPSY", "duration": "0"}, "greater than or equal to 1"),
        ({"code": "CTBIOPSY", "active": "maybe"}, "in use: write yes or no."),
        ({"code": "CTBIOPSY", "valid_from": "soon"}, "valid from:"),
        ({"code": "CTBIOPSY", "max_age": "3"}, "The least value is above the greatest."),
        ({"code": "CTBIOPSY", "modality": "ct scan"}, "Up to 16 capital letters"),
        ({"code": "CTBIOPSY", "meaning": ""}, "meaning: This field cannot be blank."),
        ({"code": "CTBIOPSY", "laterality": "left"}, "is not a valid choice"),
        ({"code": "CTBIOPSY", "stations": "CT1; CT9"}, "No station has the AE title CT9."),
        ({"code": "CTBIOPSY", "keep_apart": "NOPE | | 8 | w"}, "No exam has the code NOPE"),
        ({"code": "CTBIOPSY", "keep_apart": " | | 8 | w"}, "Name either an exam or a contrast agent."),
        ({"code": "CTBIOPSY", "questions": "1 | Why? | song"}, "is not a valid choice"),
        ({"code": "CTBIOPSY", "questions": "1 | Why?\n1 | Where?"}, "a line is there twice"),
        ({"code": "CTBIOPSY", "protocol_codes": "1 | a | L | b | c"}, "a line has 4 parts at most"),
    ],
)
def test_a_wrong_row_says_what_is_wrong_and_the_file_cannot_be_imported(
    catalogue: Exam, row: dict[str, str], words: str
) -> None:
    first = {"code": "RFSWALL", "meaning": "New name", "modality": "RF"}
    wrong = {"meaning": "Exam CTBIOPSY", "modality": "CT"} | row
    plan = exam_import.plan(table(first, wrong))
    assert [one.outcome for one in plan.rows] == [Outcome.CHANGED, Outcome.ERROR]
    assert words in plan.rows[1].error
    assert not plan.can_be_applied
    with refused(ForbiddenMove, "a row is wrong"):
        run(first, wrong)
    assert not Exam.objects.filter(meaning="New name").exists()


def test_a_code_that_is_there_twice_is_an_error_at_the_second(catalogue: Exam) -> None:
    plan = exam_import.plan(table({"code": "RFSWALL"}, {"code": "X"}, {"code": "RFSWALL"}))
    assert plan.rows[2].error == "The code is in line 2 already."


def test_a_row_longer_than_the_head_is_an_error() -> None:
    assert exam_import.plan([["code"], ["A", "B"]]).rows[0].error == "The row has more cells than the head."


# --- files that are wrong -----------------------------------------------------------------------------


def xlsx(*rows: list[Any]) -> bytes:
    book = Workbook()
    assert book.active
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (spreadsheets.MOST_UNPACKED + 1))
    return content.getvalue()


FILES: dict[str, tuple[str, bytes, str]] = {
    "another kind": ("exams.ods", b"x", "must be a CSV or an XLSX file"),
    "empty": ("exams.csv", b"\n\n", "The file is empty."),
    "only a head": ("exams.csv", b"code,meaning\n", "There is no exam in the file."),
    "latin-1": ("exams.csv", "code,meaning\nA,Schädel\n".encode("latin-1"), "The text is not UTF-8."),
    "utf-16": ("exams.csv", "code\nA\n".encode("utf-16"), "The text is not UTF-8."),
    "NUL": ("exams.csv", b"code\nA\x00\n", "NUL"),
    "open quotation mark": ("exams.csv", b'code,meaning\nA,"open\n', "a quotation mark is not closed"),
    "no code": ("exams.csv", b"meaning\nCT\n", "A column is missing: code."),
    "column twice": ("exams.csv", b"code,code\nA,B\n", "A column is there twice: code."),
    "unknown column": ("exams.csv", b"code,colour\nA,B\n", "Unknown columns: colour."),
    "too many rows": ("exams.csv", b"code\n" + b"A\n" * 10_000, "more than 5000 rows"),
    "too many columns": ("exams.csv", b"code" + b",x" * 300 + b"\nA\n", "more than 200 columns"),
    "too large": ("exams.csv", b"x" * (spreadsheets.MOST_BYTES + 1), "larger than 5 MB"),
    "no zip": ("exams.xlsx", b"code\nA\n", "no XLSX file"),
    "half": ("exams.xlsx", xlsx(["code"], ["A"])[:500], "no XLSX file"),
    "bomb": ("exams.xlsx", bomb(), "larger than 50 MB"),
    "formula": ("exams.xlsx", xlsx(["code"], ["=1+1"]), "Cell A2 holds a formula"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_refused_in_words(name: str) -> None:
    file_name, content, words = FILES[name]
    with pytest.raises(InvalidValue, match=words):
        exam_import.plan(spreadsheets.read(file_name, content))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_may_have_the_delimiter_of_another_country(delimiter: str) -> None:
    content = f"Code{delimiter}MEANING{delimiter}modality\nA{delimiter}Schädel{delimiter}CT\n".encode()
    (row,) = exam_import.plan(spreadsheets.read("exams.csv", content)).rows
    assert (row.error, row.cells) == ("", {"code": "A", "meaning": "Schädel", "modality": "CT"})


def test_cells_of_a_spreadsheet_are_read_as_what_they_show() -> None:
    content = xlsx(["code", "duration", "active", "body_part"], [4711, 15.0, True, None], [None, None, None, None])
    assert spreadsheets.read("a.XLSX", content)[1:] == [["4711", "15", "yes", ""]]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_nothing_that_is_exported_runs_as_a_formula(text: str) -> None:
    written = spreadsheets.to_csv([["code"], [text]]).decode("utf-8-sig")
    assert [row[0] for row in csv.reader(io.StringIO(written))] == ["code", f"'{text}"]
    assert spreadsheets.read("a.csv", written.encode())[1] == [text]
    book = spreadsheets.to_xlsx([["code"], [text]], "Exams")
    sheet = load_workbook(io.BytesIO(book)).worksheets[0]
    assert (sheet["A2"].value, sheet["A2"].data_type) == (text, "s")


# --- at the desk --------------------------------------------------------------------------------------


def send(desk: Desk, content: bytes, name: str = "exams.csv") -> str:
    return desk.post("/ris/exam/import/", file=SimpleUploadedFile(name, content))


def digest_in(page: str) -> str:
    return page.partition('name="digest" value="')[2].partition('"')[0]


def test_only_the_second_click_changes_the_catalogue(catalogue: Exam) -> None:
    desk = Desk(Role.SCHEDULER)
    page = send(
        desk, b"code,meaning,modality\nCTBIOPSY,CT guided biopsy,CT\nMRNEW,MR new,MR\nRFSWALL,Exam RFSWALL,RF\n"
    )
    seen = text_of(page)
    assert "0 error, 1 changed, 1 new, 1 unchanged." in seen
    assert "2 CTBIOPSY changed meaning: Exam CTBIOPSY → CT guided biopsy" in seen
    assert not Exam.objects.filter(code="MRNEW").exists()
    upload = CatalogueUpload.objects.get()
    address = f"/ris/exam/import/{upload.pk}/"
    assert "1 new, 1 changed" in text_of(desk.post(address, digest=digest_in(page)))
    assert Exam.objects.filter(code="MRNEW").exists()
    told = desk.post(address, digest=digest_in(page))  # a double click
    assert "This file was imported before." in text_of(told)
    assert Event.objects.filter(kind=EventKind.CATALOG_CHANGED, user=desk.user).count() == 2
    assert not bytes(CatalogueUpload.objects.get().content)


def test_a_catalogue_that_changed_meanwhile_is_looked_at_again(catalogue: Exam) -> None:
    desk = Desk(Role.SCHEDULER)
    page = send(desk, b"code,duration\nCTBIOPSY,33\n")
    catalogue.change(duration=22)
    told = desk.post(f"/ris/exam/import/{CatalogueUpload.objects.get().pk}/", digest=digest_in(page))
    assert "The catalogue was changed meanwhile." in text_of(told)
    assert "duration: 22 → 33" in text_of(told)
    assert Exam.objects.get(code="CTBIOPSY").duration == 22


def test_a_file_that_is_refused_stays_on_the_form_with_the_reason() -> None:
    desk = Desk(Role.SCHEDULER)
    assert "The text is not UTF-8." in text_of(send(desk, "code\nÄ\n".encode("latin-1")))
    assert "no XLSX file" in text_of(send(desk, b"x", "exams.xlsx"))
    assert "The submitted file is empty." in text_of(send(desk, b""))
    assert not CatalogueUpload.objects.exists()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_everybody_may_take_the_catalogue_away_and_it_is_told(catalogue: Exam, kind: str) -> None:
    desk = Desk(Role.RADIOLOGIST)
    answer = desk.client.get(f"/ris/exam/export.{kind}")
    assert answer["Content-Disposition"] == f'attachment; filename="exams.{kind}"'
    assert spreadsheets.read(f"exams.{kind}", answer.content) == exam_table.whole()
    assert Event.objects.filter(kind=EventKind.RECORD_VIEWED, data__search=f"export {kind}").exists()
    desk.get("/ris/exam/export.pdf", status=404)
    desk.get("/ris/exam/import/", status=403)


# --- from a shell -------------------------------------------------------------------------------------


def test_the_command_exports_and_imports(catalogue: Exam, tmp_path: Path) -> None:
    out = io.StringIO()
    file = tmp_path / "exams.xlsx"
    call_command("exams", "export", str(file), stdout=out)
    catalogue.change(duration=99)
    call_command("exams", "import", str(file), stdout=out)
    catalogue.refresh_from_db()
    assert catalogue.duration == 99
    call_command("exams", "import", str(file), "--apply", stdout=out)
    catalogue.refresh_from_db()
    assert catalogue.duration == 20
    assert "CTBIOPSY changed: duration" in out.getvalue()
    with pytest.raises(CommandError, match="must be a CSV or an XLSX"):
        call_command("exams", "import", __file__)
