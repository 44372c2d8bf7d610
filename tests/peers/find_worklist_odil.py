"""Asks a worklist with odil: /usr/bin/python3 find_worklist_odil.py HOST PORT CALLING CALLED KEYWORD=VALUE...

For the Python of the system, where Debian's python3-odil is. The keys are those of the step. Out: one line of JSON for
each answer, keyword and value. odil's own program knows the patient and study roots only.
"""

import json
import sys

import odil

host, port, calling, called, *keys = sys.argv[1:]
step = odil.DataSet()
step.add(odil.registry.ScheduledProcedureStepID)
step.add(odil.registry.Modality)
for keyword, _, value in (key.partition("=") for key in keys):
    step.add(getattr(odil.registry, keyword), [value.encode()])
query = odil.DataSet()
query.add(odil.registry.SpecificCharacterSet, [b"ISO_IR 192"])
query.add(odil.registry.PatientName)
query.add(odil.registry.PatientID)
query.add(odil.registry.ScheduledProcedureStepSequence, [step])

worklist = odil.registry.ModalityWorklistInformationModelFind
context = odil.AssociationParameters.PresentationContext(
    1,
    worklist,
    [odil.registry.ImplicitVRLittleEndian, odil.registry.ExplicitVRLittleEndian],
    odil.AssociationParameters.PresentationContext.Role.SCU,
)
association = odil.Association()
association.set_peer_host(host)
association.set_peer_port(int(port))
parameters = association.update_parameters().set_calling_ae_title(calling).set_called_ae_title(called)
parameters.set_presentation_contexts([context])
association.associate()
scu = odil.FindSCU(association)
scu.set_affected_sop_class(worklist)
for answer in scu.find(query):
    told = {}
    for keyword in ("PatientName", "PatientID"):
        (value,) = answer.as_string(getattr(odil.registry, keyword))
        told[keyword] = value.decode()
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
association.release()
