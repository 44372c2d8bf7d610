"""What an order tells beside the exam: each thing is on the page where people look for it, and with the scanner."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pydicom.dataset import Dataset

from ris.models import Order, ScheduledProcedureStep
from ris.roles import Role
from tests.hl7.stories import Accepted
from tests.messages import msh, obr, orc, pid, pv1, segment
from tests.messages import send as written
from tests.ris.desk import Desk, text_of
from tests.worklist import asking

NINE = (timezone.localdate() + timedelta(days=1)).strftime("%Y%m%d0900")
UID = "1.2.840.99999.7.1"

ORDER = written(
    msh("OMI^O23"),
    pid(),
    "NTE|1||Speaks softly",
    "NTE|2||Comes with her daughter",
    pv1(fields={15: "A2~B6"}),
    "IN1|1|PLAN7^Gold^L|HMO3|Health Fund",
    "AL1|1|DA|^Penicillin",
    "AL1|2|FA|C12^Iodine",
    "ZPV|bed by the window|two~three",
    orc("NW", start=NINE),
    "NTE|1||Call before",
    segment("TQ1", {1: "1", 7: NINE, 9: "S"}),
    obr("CTABD^CT abdomen^L", fields={13: "Pacemaker", 31: "R10^Abdominal pain^I10~^Fever"}),
    "NTE|1||Right side",
    "DG1|1||K35^Appendicitis^I10",
    "DG1|2||^|Follow-up",
    "OBX|1|NM|29463-7^Weight^LN||154|[lb_av]",
    "NTE|1||with clothes",
    "OBX|2|NM|HEIGHT||170|cm",
    segment("IPC", {1: "ACC7", 2: "PROC7", 3: UID, 4: "STEP7", 5: "CT", 9: "CT2"}),
    "NTE|1||Lie still",
    "ZDS|9.9.9^^Application",
)


@pytest.fixture
def order(accepted: Accepted) -> Order:
    accepted(ORDER)
    return Order.objects.select_related("patient").get()


ON_THE_ORDER = [
    "Call before Right side",
    "Reason Abdominal pain, Fever",
    "Diagnosis Appendicitis; Follow-up",
    "Lie still",
    f"Study UID {UID}",
    "Allergies: Penicillin, Iodine",
    "Pacemaker",
    "wheelchair or stretcher",
    "Pregnancy: pregnant",
    "IN1 IN1-1 1 IN1-2 PLAN7 Gold L IN1-3 HMO3 IN1-4 Health Fund",
    "ZPV ZPV-1 bed by the window ZPV-2 two three",
]


def test_people_read_it_on_the_page_of_the_order(order: Order) -> None:
    page = text_of(Desk(Role.TECHNOLOGIST).get(f"/ris/order/{order.pk}/change/"))
    assert [text for text in ON_THE_ORDER if text.lower() not in page.lower()] == []
    assert "with clothes" not in page, "a note about a measurement is no note about the exam"


def test_people_read_what_is_about_the_patient_on_the_patient_s_page(order: Order) -> None:
    page = text_of(Desk(Role.TECHNOLOGIST).get(f"/ris/patient/{order.patient_id}/change/"))
    told = ("Weight 69.85 kg", "Height 1.70 m", "Comments Speaks softly Comes with her daughter")
    assert [text for text in told if text not in page] == []


def _codes(found: Dataset, keyword: str) -> list[tuple[str, str, str]]:
    items = found[keyword].value
    return [(item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) for item in items]


AT_THE_SCANNER: dict[str, tuple[Callable[[Dataset], object], object]] = {
    "AccessionNumber": (lambda found: found.AccessionNumber, "ACC7"),
    "RequestedProcedureID": (lambda found: found.RequestedProcedureID, "PROC7"),
    "StudyInstanceUID": (lambda found: found.StudyInstanceUID, UID),
    "RequestedProcedurePriority": (lambda found: found.RequestedProcedurePriority, "STAT"),
    "RequestedProcedureComments": (lambda found: found.RequestedProcedureComments, "Call before\nRight side"),
    "ReasonForTheRequestedProcedure": (
        lambda found: found.ReasonForTheRequestedProcedure,
        "Abdominal pain, Fever",
    ),
    "ReasonForRequestedProcedureCodeSequence": (
        lambda found: _codes(found, "ReasonForRequestedProcedureCodeSequence"),
        [("R10", "I10", "Abdominal pain")],
    ),
    "AdmittingDiagnosesDescription": (
        lambda found: list(found.AdmittingDiagnosesDescription),
        ["Appendicitis", "Follow-up"],
    ),
    "PatientWeight": (lambda found: float(found.PatientWeight), 69.85),
    "PatientSize": (lambda found: float(found.PatientSize), 1.7),
    "Allergies": (lambda found: found.Allergies, "Penicillin, Iodine"),
    "MedicalAlerts": (lambda found: found.MedicalAlerts, "Pacemaker"),
    "PregnancyStatus": (lambda found: found.PregnancyStatus, 3),
    "SpecialNeeds": (lambda found: found.SpecialNeeds, "wheelchair or stretcher"),
    "PatientComments": (lambda found: found.PatientComments, "Speaks softly\nComes with her daughter"),
    "ScheduledProcedureStepID": (lambda found: asking.step(found).ScheduledProcedureStepID, "STEP7"),
    "ScheduledStationAETitle": (lambda found: asking.step(found).ScheduledStationAETitle, "CT2"),
    "CommentsOnTheScheduledProcedureStep": (
        lambda found: asking.step(found).CommentsOnTheScheduledProcedureStep,
        "Lie still",
    ),
}


def test_the_scanner_is_told_it_where_dicom_has_a_place_for_it(order: Order) -> None:
    (found,) = asking.answers(**dict.fromkeys(AT_THE_SCANNER))
    told = {keyword: read(found) for keyword, (read, _) in AT_THE_SCANNER.items()}
    assert told == {keyword: expected for keyword, (_, expected) in AT_THE_SCANNER.items()}


def test_a_change_that_leaves_it_out_leaves_it_as_it_is(accepted: Accepted, order: Order) -> None:
    accepted(written(msh("OMI^O23"), pid(), orc("XO"), obr(fields={31: "^Worse"})))
    order.refresh_from_db()
    procedure = order.procedures.get()
    assert [segment["segment"] for segment in order.sent_along] == ["IN1", "ZPV"]
    assert (procedure.reason, procedure.diagnosis) == ("Worse", "Appendicitis; Follow-up")


@pytest.mark.parametrize(
    ("said", "physician", "technologist"),
    [
        ("7&Roe&Rita", "Roe^Rita", ""),  # IHE RAD-4: the physician's name
        ("8&Poe&Tom&&&&R.T.(R)(CT)", "", "Poe^Tom"),  # HL7: the technician
        ("8^Poe^Tom^^^^MTRA", "", "Poe^Tom"),
        ("8&Poe&Tom&&&&RT~7&Roe&Rita&&&&MD", "Roe^Rita", "Poe^Tom"),
    ],
)
def test_who_is_at_the_scanner_is_not_called_a_physician(
    accepted: Accepted, said: str, physician: str, technologist: str
) -> None:
    accepted(written(msh("ORM^O01"), pid(), orc(start=NINE), obr(fields={34: said})))
    step = ScheduledProcedureStep.objects.get()
    assert (step.performing_physician, step.technologist) == (physician, technologist)
    words = text_of(Desk(Role.FRONT_DESK).get(f"/ris/order/{step.requested_procedure.order_id}/change/"))
    for name, label in ((physician, "Physician Roe, Rita"), (technologist, "Technologist Poe, Tom")):
        assert (label in words) == bool(name)
    accepted(written(msh("ORM^O01"), pid(), orc("XO"), obr(fields={34: "9&Doe&Ann&&&&MTR"})))
    step.refresh_from_db()
    assert (step.performing_physician, step.technologist) == (physician, "Doe^Ann")


def test_a_diagnosis_before_the_orders_is_about_each_of_them(accepted: Accepted) -> None:
    accepted(
        written(
            msh("ORM^O01"),
            pid(),
            "DG1|1||^Trauma",
            orc("NW", "P1"),
            obr(),
            orc("NW", "P2"),
            obr(placer="P2"),
            "ZZZ|own",
        )
    )
    first, second = Order.objects.order_by("pk")
    assert (first.procedures.get().diagnosis, second.procedures.get().diagnosis) == ("Trauma", "Trauma")
    assert (first.sent_along, len(second.sent_along)) == ([], 1)
