// A device over HTTP, its data sets by dcmjs: node dicomweb.mjs BASE TOKEN UID
// In, on stdin: a JSON object of step keys. Searches, performs the first step that is found under UID, reads it back.
// Out, on stdout: {"found": natural data sets, "statuses": of begin, end and end again, "performed": the data set}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const dcmjs = createRequire(import.meta.url)("dcmjs"); // Node 18 cannot import its modules
const { DicomMetaDictionary } = dcmjs.data;
const [base, token, uid] = process.argv.slice(2);
const stepKeys = JSON.parse(readFileSync(0, "utf8"));
const headers = { Authorization: `Bearer ${token}`, Accept: "application/dicom+json" };
const natural = async (answer) => (await answer.json()).map((one) => DicomMetaDictionary.naturalizeDataset(one));

const query = new URLSearchParams({ includefield: "RequestingService", limit: "50" });
for (const [keyword, value] of Object.entries(stepKeys)) {
  query.set(`ScheduledProcedureStepSequence.${keyword}`, value);
}
const answer = await fetch(`${base}modality-scheduled-procedure-steps?${query}`, { headers });
if (answer.status !== 200) throw new Error(`status ${answer.status}`);
const found = await natural(answer);

const [item] = found;
const [step] = item.ScheduledProcedureStepSequence;
const address = `${base}modality-performed-procedure-steps/${uid}`;
const send = async (dataSet, how = "") => {
  const body = JSON.stringify(DicomMetaDictionary.denaturalizeDataset(dataSet));
  const type = { "Content-Type": "application/dicom+json" };
  return (await fetch(address + how, { method: "POST", headers: { ...headers, ...type }, body })).status;
};
const begin = await send({
  ScheduledStepAttributesSequence: [
    {
      StudyInstanceUID: item.StudyInstanceUID,
      AccessionNumber: item.AccessionNumber,
      RequestedProcedureID: item.RequestedProcedureID,
      ScheduledProcedureStepID: step.ScheduledProcedureStepID,
    },
  ],
  PatientName: item.PatientName,
  PatientID: item.PatientID,
  PerformedProcedureStepID: "WEB1",
  PerformedStationAETitle: step.ScheduledStationAETitle,
  PerformedProcedureStepStartDate: step.ScheduledProcedureStepStartDate,
  PerformedProcedureStepStartTime: step.ScheduledProcedureStepStartTime,
  PerformedProcedureStepStatus: "IN PROGRESS",
  Modality: step.Modality,
});
const ending = {
  PerformedProcedureStepStatus: "COMPLETED",
  PerformedProcedureStepEndDate: step.ScheduledProcedureStepStartDate,
  PerformedProcedureStepEndTime: "235900",
  PerformedSeriesSequence: [{ SeriesInstanceUID: `${uid}.1`, ProtocolName: "HEAD" }],
};
const statuses = [begin, await send(ending, "?update"), await send(ending, "?update")];
const [performed] = await natural(await fetch(address, { headers }));
process.stdout.write(JSON.stringify({ found, statuses, performed }));
