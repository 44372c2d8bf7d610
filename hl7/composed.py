"""Arguments that are put together from more than one field, in words: docs/reference/hl7.md is printed from here."""

APPOINTED: tuple[tuple[str, str], ...] = (
    ("performing_physician", "AIP-3 of the first AIP whose role (AIP-4) is not a technologist's or a nurse's"),
    ("technologist", "AIP-3 of the first AIP whose role (AIP-4) is a technologist's"),
    (
        "comments",
        "NTE-3 below SCH and the AIS: of the procedure where the order came with the appointment, else of the step",
    ),
    ("start", "a service without a time of its own begins as long after TQ1-7 or SCH-11.4 as AIS-5 and AIS-6 say"),
    ("reason", "SCH-7 where the order came with the appointment, else where the procedure has none"),
    ("station", "AIG-3, AIL-3, whichever component names one; not what the appointment loses (AIG-2, AIL-2 is D)"),
)
"""What else an appointment says of its steps and procedures."""

EXAM: tuple[tuple[str, str], ...] = (
    ("exam", "OBR-4.1 with OBR-4.3, else OBR-4.4 with OBR-4.6, as found in the catalogue"),
    ("code, meaning, coding_scheme", "OBR-4.1 to OBR-4.3, else OBR-4.4 to OBR-4.6"),
    (
        "protocol_codes",
        "OBR-4.4 to OBR-4.6, else OBR-4.1 to OBR-4.3, where the catalogue does not know the exam; IPC-6 (all) first",
    ),
    ("comments", "NTE-3, all below the ORC or OBR"),
    ("reason_codes", "OBR-31 (all), where code, words and coding scheme are there"),
    ("diagnosis", "DG1-3, else DG1-4, of all DG1 below the OBR, else before the first ORC"),
    (
        "steps",
        "each IPC where there are several: IPC-4 is the step ID, IPC-5 the modality, IPC-6 protocols and name, IPC-9 "
        "the station; NTE-3 below an IPC is the comment of its step. A change (XO) names all steps that shall be: one "
        "that is not named any more is cancelled; where it has begun, it stays and the order is marked for attention. "
        "Without IPC the steps stay as they are; where there is one IPC, the catalogue says how many steps there are",
    ),
)
"""What is ordered: also part of ProcedureRequest."""

NUMBERS: tuple[tuple[str, str], ...] = (
    ("placer_order_number", "ORC-2.1, else OBR-2.1"),
    ("placer_issuer", "ORC-2.2 (else .3), else MSH-3"),
    ("filler_order_number", "ORC-3.1, else OBR-3.1"),
    ("filler_issuer", "ORC-3.2 (else .3)"),
    ("accession_number", "OBR-18, else IPC-1.1"),
    ("sent_along", "IN1, IN2, IN3, GT1 and Z-segments but ZDS, those before the first ORC and those below the ORC"),
    ("site", "PV1-3.4, else MSH-6, else MSH-4, where it is the code of a site; else the endpoint's"),
)
"""How an order is named: ris.actions.orders.place."""
