"""The columns of a performed step, read from the data set in which a scanner describes it.

Nothing here refuses: what cannot be read is left out and named as a doubt. The data set itself is kept whole as JSON.
"""

import math
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from pydicom.dataset import Dataset

from ris.models import Site, Station
from worklist.mpps_rules import SCHEDULED, SERIES, is_date, is_time, items, text

ITEM_KEYS = {
    "study_instance_uid": "StudyInstanceUID",
    "accession_number": "AccessionNumber",
    "requested_procedure_id": "RequestedProcedureID",
    "sps_id": "ScheduledProcedureStepID",
}
SERIES_KEYS = {
    "uid": "SeriesInstanceUID",
    "protocol": "ProtocolName",
    "description": "SeriesDescription",
    "performing_physician": "PerformingPhysicianName",
    "operators": "OperatorsName",
    "retrieve_ae_title": "RetrieveAETitle",
}
NUMBERS = {
    "dose_area_product": "ImageAndFluoroscopyAreaDoseProduct",
    "entrance_dose": "EntranceDoseInmGy",
    "fluoroscopy_time": "TotalTimeOfFluoroscopy",
    "exposures": "TotalNumberOfExposures",
}
REASON = "PerformedProcedureStepDiscontinuationReasonCodeSequence"
LONGEST = 250
"""Characters of a text kept in one of the JSON columns."""
MOST_EXPOSURES = 2_000_000_000


def zone_of(station_ae_title: str) -> tzinfo:
    """Return the wall clock of a scanner: that of its station's site, else of the default site."""
    station = Station.objects.filter(ae_title=station_ae_title).select_related("site").first()
    site = station.site if station else Site.objects.order_by("-is_default", "pk").first()
    return site.zone if site else UTC


def identity(data_set: Dataset) -> dict[str, Any]:
    """Return what an N-CREATE says once and for all: what it is, whose, where, and which scheduled steps it was."""
    zone = _zone(data_set, zone_of(text(data_set, "PerformedStationAETitle")))
    found = [
        {name: text(item, keyword)[:LONGEST] for name, keyword in ITEM_KEYS.items()}
        for item in items(data_set, SCHEDULED)
    ]
    return {
        "station_ae_title": text(data_set, "PerformedStationAETitle"),
        "pps_id": text(data_set, "PerformedProcedureStepID"),
        "modality": text(data_set, "Modality"),
        "study_instance_uid": found[0]["study_instance_uid"] if found else "",
        "start": _moment(data_set, "PerformedProcedureStepStart", zone),
        "items": found,
        "said": _patient(data_set),
    }


def course(data_set: Dataset, zone: tzinfo) -> tuple[dict[str, Any], list[str]]:
    """Return what every request may say anew, from all that is known by now, and the doubts about it."""
    doubts = []
    columns: dict[str, Any] = {
        "description": text(data_set, "PerformedProcedureStepDescription")[:64],
        "end": _moment(data_set, "PerformedProcedureStepEnd", _zone(data_set, zone)),
        "series": [_series(item) for item in items(data_set, SERIES)],
        "supplies": _supplies(data_set),
    }
    if columns["end"] is None and text(data_set, "PerformedProcedureStepEndDate"):
        doubts.append("unreadable:PerformedProcedureStepEndDate")
    reason = next(iter(items(data_set, REASON)), Dataset())
    columns["discontinuation_code"] = text(reason, "CodeValue")[:16]
    columns["discontinuation_reason"] = text(reason, "CodeMeaning")[:64]
    for name, keyword in NUMBERS.items():
        columns[name] = _number(data_set, keyword)
        if columns[name] is None and text(data_set, keyword):
            doubts.append(f"unreadable:{keyword}")
    if columns["exposures"] is not None:
        columns["exposures"] = int(min(columns["exposures"], MOST_EXPOSURES))
    return columns, doubts


def as_json(data_set: Dataset) -> tuple[dict[str, Any], list[str]]:
    """Return a data set as PS3.18 annex F writes it, and doubts about the elements that cannot be written so."""
    found: dict[str, Any] = {}
    doubts = []
    for tag in data_set.keys():  # noqa: SIM118 (the values must be read one by one: each may fail)
        try:
            found[f"{tag:08X}"] = _storable(data_set[tag].to_json_dict(None, 0))
        except Exception:  # what a peer sent may fail anywhere in pydicom
            doubts.append(f"unreadable:{tag}")
    return found, doubts


def _storable(value: Any) -> Any:
    """Return JSON without what PostgreSQL does not take: NULs, halves of surrogate pairs, numbers that are none."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
        case list():
            return [_storable(one) for one in value]
        case dict():
            return {key: _storable(one) for key, one in value.items()}
        case float() if not math.isfinite(value):
            return None
    return value


def _patient(data_set: Dataset) -> dict[str, str]:
    born = text(data_set, "PatientBirthDate")
    return {
        "name": text(data_set, "PatientName")[:LONGEST],
        "id": text(data_set, "PatientID")[:64],
        "issuer": text(data_set, "IssuerOfPatientID")[:64],
        "birth_date": f"{born[:4]}-{born[4:6]}-{born[6:]}" if is_date(born) else "",
        "sex": text(data_set, "PatientSex")[:1],
    }


def _zone(data_set: Dataset, zone: tzinfo) -> tzinfo:
    """Return the offset that a data set names (0008,0201), else the zone."""
    said = text(data_set, "TimezoneOffsetFromUTC")
    if len(said) == 5 and said[0] in "+-" and said[1:].isdigit() and int(said[1:3]) <= 14 and int(said[3:]) < 60:
        offset = timedelta(hours=int(said[1:3]), minutes=int(said[3:]))
        return timezone(-offset if said[0] == "-" else offset)
    return zone


def _moment(data_set: Dataset, keyword: str, zone: tzinfo) -> datetime | None:
    """Return the moment of a pair of date and time; a time that is missing or no time is midnight."""
    day, clock = text(data_set, f"{keyword}Date"), text(data_set, f"{keyword}Time")
    if not is_date(day):
        return None
    clock = (clock.partition(".")[0] if is_time(clock) else "").ljust(6, "0")
    second = min(int(clock[4:]), 59)  # 60 is a leap second
    return datetime(
        int(day[:4]), int(day[4:6]), int(day[6:]), int(clock[:2]), int(clock[2:4]), second, tzinfo=zone
    ).astimezone(UTC)


def _number(data_set: Dataset, keyword: str) -> float | None:
    try:
        number = float(text(data_set, keyword))
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _series(item: Dataset) -> dict[str, Any]:
    return {
        **{name: text(item, keyword)[:LONGEST] for name, keyword in SERIES_KEYS.items()},
        "images": len(items(item, "ReferencedImageSequence")),
        "objects": len(items(item, "ReferencedNonImageCompositeSOPInstanceSequence")),
    }


def _supplies(data_set: Dataset) -> list[dict[str, Any]]:
    """Return what was used up and what is to be billed (PS3.3 C.4.17)."""
    found: list[dict[str, Any]] = [
        {"kind": "procedure", **_code(item), "quantity": None, "unit": ""}
        for item in items(data_set, "BillingProcedureStepSequence")
    ]
    for item in items(data_set, "BillingSuppliesAndDevicesSequence"):
        quantity = next(iter(items(item, "QuantitySequence")), Dataset())
        unit = next(iter(items(quantity, "MeasuringUnitsSequence")), Dataset())
        code = next(iter(items(item, "BillingItemSequence")), Dataset())
        found.append(
            {
                "kind": "supply",
                **_code(code),
                "quantity": _number(quantity, "Quantity"),
                "unit": text(unit, "CodeMeaning")[:LONGEST] or text(unit, "CodeValue")[:LONGEST],
            }
        )
    for item in items(data_set, "FilmConsumptionSequence"):
        film = {
            "code": "",
            "coding_scheme": "",
            "meaning": " ".join(filter(None, (text(item, "MediumType"), text(item, "FilmSizeID")))),
        }
        found.append({"kind": "film", **film, "quantity": _number(item, "NumberOfFilms"), "unit": ""})
    return found


def _code(item: Dataset) -> dict[str, str]:
    names = {"code": "CodeValue", "coding_scheme": "CodingSchemeDesignator", "meaning": "CodeMeaning"}
    return {name: text(item, keyword)[:LONGEST] for name, keyword in names.items()}
