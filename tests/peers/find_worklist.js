// Asks a worklist with dcmjs-dimse: node find_worklist.js HOST PORT CALLING CALLED
// In, on stdin: a JSON object of step keys. Out, on stdout: the answers as a JSON list.
import dcmjsDimse from "dcmjs-dimse";
import { readFileSync } from "node:fs";

const { Client, log } = dcmjsDimse;
const { CFindRequest } = dcmjsDimse.requests;
const { Status } = dcmjsDimse.constants;
const PENDING = [Status.Pending, 0xff01]; // FF01: an optional key was not matched; this client sends a pregnancy of 0
log.setLevel("error");
const [host, port, calling, called] = process.argv.slice(2);
const stepKeys = JSON.parse(readFileSync(0, "utf8"));

const request = CFindRequest.createWorklistFindRequest({
  PatientName: "",
  PatientID: "",
  AccessionNumber: "",
  StudyInstanceUID: "",
  RequestedProcedureID: "",
  RequestedProcedureDescription: "",
  ScheduledProcedureStepSequence: [
    {
      ScheduledStationAETitle: "",
      ScheduledProcedureStepStartDate: "",
      ScheduledProcedureStepStartTime: "",
      Modality: "",
      ScheduledProcedureStepID: "",
      ...stepKeys,
    },
  ],
});
const answers = [];
process.exitCode = 1; // until the final response; this client may still write to a socket that it has closed
request.on("response", (response) => {
  if (PENDING.includes(response.getStatus()) && response.hasDataset()) {
    answers.push(response.getDataset().getElements());
  } else {
    process.exitCode = response.getStatus() === Status.Success ? 0 : 1;
    console.error(`status ${response.getStatus().toString(16)}`);
  }
});
const client = new Client();
client.addRequest(request);
client.on("networkError", (error) => console.error(error.message));
client.on("associationRejected", () => console.error("rejected"));
client.once("closed", () => process.stdout.write(JSON.stringify(answers)));
client.send(host, Number(port), calling, called);
