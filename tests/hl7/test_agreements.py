"""An endpoint that writes in its own way: other fields fill what ours do, other codes mean what ours do."""

from typing import Any

import pytest

from hl7 import mapping
from hl7.models import CodeTranslation, Endpoint, FieldSource
from ris.models import Event, Order, Patient, RequestedProcedure, Visit
from ris.roles import Role
from tests import factories
from tests.hl7.stories import Accepted, Refused
from tests.hl7.test_endpoints import FORM
from tests.messages import adt, msh, obr, orc, orm, pid, pv1
from tests.messages import send as written
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def his() -> Endpoint:
    return Endpoint.objects.create(name="the HIS", sending_application="HIS")


def fills(endpoint: Endpoint, **sources: str) -> None:
    for name, text in sources.items():
        FieldSource.objects.create(endpoint=endpoint, argument=name.replace("__", "."), sources=text)


def means(endpoint: Endpoint, table: str, **codes: str) -> None:
    for code, meaning in codes.items():
        CodeTranslation.objects.create(endpoint=endpoint, table=table, code=code, meaning=meaning)


def procedure() -> RequestedProcedure:
    return RequestedProcedure.objects.get()


class TestFields:
    def test_another_field_fills_an_argument(self, his: Endpoint, accepted: Accepted) -> None:
        fills(his, procedure__reason="OBR-13")
        accepted(written(msh("ORM^O01"), pid(), orc(), obr(fields={13: "fall from a horse", 31: "R52^Pain"})))
        assert procedure().reason == "fall from a horse"

    def test_the_technician_of_obr_34_is_the_technologist_where_that_is_agreed(
        self, his: Endpoint, accepted: Accepted
    ) -> None:
        fills(his, procedure__technologist="OBR-34")
        accepted(written(msh("ORM^O01"), pid(), orc(), obr(fields={34: "8&Poe&Tom"})))
        step = procedure().steps.get()
        assert (step.performing_physician, step.technologist) == ("", "Poe^Tom")

    def test_a_segment_of_the_hospitals_own_does(self, his: Endpoint, accepted: Accepted) -> None:
        fills(his, patient__phone="ZPI-3.2", visit__location="ZPV-1")
        accepted(adt("A04", pid(), pv1(), "ZPI|1||home^555 1234", "ZPV|NORTH^7"))
        assert Patient.objects.get().phone == "555 1234"
        assert Visit.objects.get().location == "NORTH^7"

    def test_the_segment_beside_the_procedure_counts_where_there_are_several(
        self, his: Endpoint, accepted: Accepted
    ) -> None:
        fills(his, procedure__reason="ZOB-1")
        first, second = obr(), obr("MRHEAD^MR head^L", number=2)
        accepted(written(msh("ORM^O01"), pid(), orc(), first, "ZOB|fall", second, "ZOB|headache"))
        reasons = RequestedProcedure.objects.order_by("pk").values_list("reason", flat=True)
        assert list(reasons) == ["fall", "headache"]

    def test_the_first_that_says_anything_counts(self, his: Endpoint, accepted: Accepted) -> None:
        fills(his, patient__phone="ZPI-3, PID-13")
        accepted(adt("A04", pid(fields={13: "555 0000"})))
        assert Patient.objects.get().phone == "555 0000"

    def test_nothing_fills_what_shall_stay_empty(self, his: Endpoint, accepted: Accepted) -> None:
        fills(his, patient__address="")
        accepted(adt("A04", pid(fields={11: "Main Street 1"})))
        assert Patient.objects.get().address == ""

    def test_a_value_that_cannot_be_names_the_field_that_it_came_from(self, his: Endpoint, refused: Refused) -> None:
        fills(his, patient__birth_date="ZPI-2")
        assert refused(adt("A04", pid(), "ZPI||tomorrow")) == ("AE", "102", "ZPI^1^2^1")

    def test_other_senders_are_read_as_before(self, his: Endpoint, accepted: Accepted) -> None:
        fills(his, patient__phone="ZPI-3")
        accepted(adt("A04", pid(fields={13: "555 0000"})).replace(b"|HIS|", b"|LAB|", 1))
        assert Patient.objects.get().phone == "555 0000"

    @pytest.mark.parametrize("argument", mapping.ARGUMENTS)
    def test_every_argument_may_come_from_elsewhere(self, his: Endpoint, accepted: Accepted, argument: str) -> None:
        source = "ZZZ-1" if mapping.ARGUMENTS[argument].read in mapping.WHOLE_ONLY else "ZZZ-1.1"
        row = FieldSource(endpoint=his, argument=argument, sources=f"{source}, ZZZ-2")
        row.full_clean()
        row.save()
        accepted(written(msh("ORM^O01"), pid(), pv1(), orc(), obr(), "ZZZ|20200101103000"))


class TestCodes:
    def test_each_table(self, his: Endpoint, accepted: Accepted) -> None:
        factories.exam("CT.ABDOMEN")
        means(his, "sex", W="F")
        means(his, "class", STAT="I")
        means(his, "priority", DRINGEND="HIGH")
        means(his, "exam", **{"4711": "CT.ABDOMEN"})
        timing = {7: "1^once^^^^dringend"}
        segments = (pid(sex="w"), pv1(fields={2: "stat"}), orc(fields=timing), obr("4711^Bauch^L"))
        message = accepted(written(msh("ORM^O01"), *segments))
        assert Patient.objects.get().sex == "F"
        assert Visit.objects.get().patient_class == "I"
        assert procedure().priority == "HIGH"
        assert procedure().exam == factories.exam("CT.ABDOMEN")
        assert message.warnings == []

    def test_a_modality(self, his: Endpoint, accepted: Accepted) -> None:
        means(his, "modality", KERNSPIN="MR")
        accepted(orm(code="NEW^New exam^L", modality="Kernspin"))
        assert procedure().steps.get().modality == "MR"

    def test_an_observation(self, his: Endpoint, accepted: Accepted) -> None:
        means(his, "observation", GEWICHT="weight", SS="pregnancy", CAVE="alert", MOB="special needs", WT="")
        observed = (
            "OBX|1|NM|gewicht||70|kg",
            "OBX|2|NM|99-1^^L^WT||90|kg",
            "OBX|3|CE|SS^Schwangerschaft^L||60001007^Not pregnant^SCT",
            "OBX|4|TX|CAVE||Pacemaker~Cochlear implant",
            "OBX|5|CE|MOB||W^Wheelchair^L",
            "OBX|6|CE|48765-2^Allergies^LN||I^Iodine^L",
        )
        message = accepted(adt("A08", pid(), pv1(), "AL1|1||^Latex", *observed))
        patient = Patient.objects.get()
        assert patient.weight == 70
        assert (patient.pregnancy_status, patient.special_needs) == (1, "Wheelchair")
        assert (patient.medical_alerts, patient.allergies) == ("Pacemaker, Cochlear implant", "Latex, Iodine")
        assert message.warnings == []

    def test_a_code_that_means_nothing_here(self, his: Endpoint, accepted: Accepted) -> None:
        means(his, "sex", X="")
        assert accepted(adt("A04", pid(sex="X"))).warnings == []
        assert Patient.objects.get().sex == ""

    def test_an_exam_that_is_no_longer_in_use_is_as_unknown_as_without_the_table(
        self, his: Endpoint, accepted: Accepted
    ) -> None:
        exam = factories.exam("CT.ABDOMEN")
        means(his, "exam", **{"4711": "CT.ABDOMEN"})
        exam.change(active=False)
        accepted(orm(code="4711^Bauch^L"))
        assert procedure().exam is None
        assert Order.objects.get().attention


def rows(kind: str, *values: dict[str, str]) -> dict[str, str]:
    filled = {f"{kind}-{number}-{name}": text for number, row in enumerate(values) for name, text in row.items()}
    return filled | {f"{kind}-TOTAL_FORMS": str(len(values))}


def test_they_are_written_on_the_endpoints_page_with_its_history(accepted: Accepted) -> None:
    desk = Desk(Role.INFORMATICS)
    field = {"argument": "procedure.reason", "sources": "obr-13"}
    code = {"table": "sex", "code": "w", "meaning": "F"}
    desk.post("/hl7/endpoint/add/", **FORM | rows("field_sources", field) | rows("codes", code))
    endpoint = Endpoint.objects.get(name="the HIS")
    accepted(written(msh("ORM^O01"), pid(sex="W"), orc(), obr(fields={13: "fall"})))
    assert (procedure().reason, Patient.objects.get().sex) == ("fall", "F")
    event = Event.objects.get(subject=f"hl7.endpoint:{endpoint.pk}")
    assert [row["row"] for row in event.data["rows"]] == ["procedure.reason = obr-13", "sex W = F"]
    kept: dict[str, Any] = {"id": endpoint.codes.get().pk, "endpoint": endpoint.pk}
    changed = rows("codes", code | kept | {"meaning": "O"}) | {"codes-INITIAL_FORMS": "1"}
    desk.post(f"/hl7/endpoint/{endpoint.pk}/change/", **FORM | changed)
    history = text_of(desk.get(f"/hl7/endpoint/{endpoint.pk}/history/"))
    assert "sex W = O" in history


@pytest.mark.parametrize(
    ("kind", "row", "told"),
    [
        ("field_sources", {"argument": "procedure.reason", "sources": "OBR13"}, "not a field such as PID-5"),
        ("field_sources", {"argument": "procedure.reason", "sources": "OBR-0"}, "not a field such as PID-5"),
        ("field_sources", {"argument": "patient.patient_name", "sources": "PID-9.1"}, "Only a whole field makes sense"),
        ("field_sources", {"argument": "order.nonsense", "sources": "PID-9"}, "Select a valid choice"),
        ("codes", {"table": "sex", "code": "W", "meaning": "W"}, "Enter M, F, O or nothing"),
        ("codes", {"table": "priority", "code": "1", "meaning": "soon"}, "Enter STAT, HIGH"),
        ("codes", {"table": "class", "code": "1", "meaning": ""}, "Enter a class"),
        ("codes", {"table": "modality", "code": "1", "meaning": "ct!"}, "capital letters"),
        ("codes", {"table": "observation", "code": "1", "meaning": "mass"}, "Enter weight, height"),
        ("codes", {"table": "exam", "code": "1", "meaning": "NOSUCH"}, "No exam of the catalogue"),
        ("codes", {"table": "colour", "code": "1", "meaning": "red"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(kind: str, row: dict[str, str], told: str) -> None:
    page = Desk(Role.INFORMATICS).post("/hl7/endpoint/add/", **FORM | rows(kind, row))
    assert told in text_of(page)
    assert not FieldSource.objects.exists()
    assert not CodeTranslation.objects.exists()


class TestImport:
    TABLE = "table;code;here\nexam;rx1;CTABD\nsex;w;F\nclass;1;I"

    def test_it_shows_first_what_it_would_do(self, his: Endpoint, hospital: None) -> None:
        means(his, "sex", W="O")
        means(his, "class", **{"1": "I"})
        desk = Desk(Role.INFORMATICS)
        page = text_of(desk.post(f"/hl7/endpoint/{his.pk}/codes/", table=self.TABLE, do="show"))
        assert "2 exam RX1 CTABD new" in page
        assert "3 sex W F O changed" in page
        assert "4 class 1 I I unchanged" in page
        assert "Import 2 codes" in page
        assert his.codes.count() == 2

    def test_then_it_does_it_with_its_history(self, his: Endpoint, hospital: None) -> None:
        means(his, "sex", W="O", X="")
        desk = Desk(Role.INFORMATICS)
        page = text_of(desk.post(f"/hl7/endpoint/{his.pk}/codes/", table=self.TABLE, do="import"))
        assert "3 codes were imported." in page
        assert {(row.table, row.code): row.meaning for row in his.codes.all()} == {
            ("exam", "RX1"): "CTABD",
            ("sex", "W"): "F",
            ("sex", "X"): "",
            ("class", "1"): "I",
        }
        rows = Event.objects.get(subject=f"hl7.endpoint:{his.pk}").data["rows"]
        assert {"row": "sex W = F", "change": "changed", "changes": {"meaning": ["O", "F"]}} in rows
        assert "exam RX1 = CTABD" in text_of(desk.get(f"/hl7/endpoint/{his.pk}/history/"))

    @pytest.mark.parametrize(
        ("table", "told"),
        [
            ("sex,W,W", "Enter M, F, O or nothing"),
            ("sex,W,F\nsex,w,M", "Row 1 has this code already"),
            ("exam,1,NOSUCH", "No exam of the catalogue"),
            ("colour,1,red", "is not a valid choice"),
            ("sex,,F", "cannot be blank"),
            ("sex,W,F,G", "more than three columns"),
            ("sex," + "W" * 65 + ",F", "at most 64 characters"),
        ],
    )
    def test_a_table_with_a_wrong_row_is_not_imported(self, his: Endpoint, table: str, told: str) -> None:
        desk = Desk(Role.INFORMATICS)
        shown = text_of(desk.post(f"/hl7/endpoint/{his.pk}/codes/", table=f"sex,Z,F\n{table}", do="show"))
        assert told.replace("Row 1", "Row 2") in shown
        assert "Import 1" not in shown
        page = desk.post(f"/hl7/endpoint/{his.pk}/codes/", table=f"sex,Z,F\n{table}", do="import")
        assert "Nothing was imported" in text_of(page)
        assert not his.codes.exists()

    def test_what_is_no_table_is_refused_in_words(self, his: Endpoint) -> None:
        page = Desk(Role.INFORMATICS).post(f"/hl7/endpoint/{his.pk}/codes/", table=" ", do="show")
        assert "This field is required" in text_of(page)

    def test_it_is_for_those_who_keep_endpoints(self, his: Endpoint) -> None:
        Desk(Role.SCHEDULER).get(f"/hl7/endpoint/{his.pk}/codes/", 403)
        assert "Import codes" in Desk(Role.ADMINISTRATOR).get(f"/hl7/endpoint/{his.pk}/change/")
