// Sends N messages over one connection with node-hl7-client and prints each answer: MSA-1, a blank, MSA-2.
//   node hl7_node.mjs HOST PORT COUNT
import { Client, Message } from "node-hl7-client";

const [host, port, count] = process.argv.slice(2);
let answered;
const client = new Client({ host });
// Its connection timer would end the connection after 10 s even when it is used.
const settings = { port: Number(port), waitAck: false, connectionTimeout: 0 };
const outbound = client.createOutbound(settings, async (response) => {
  const answer = response.getMessage();
  answered(`${answer.get("MSA.1").toString()} ${answer.get("MSA.2").toString()}`);
});
const awake = setInterval(() => {}, 1000); // the client lets its process end while it waits
await new Promise((resolve) => outbound.once("client.connect", resolve));
for (let number = 1; number <= Number(count); number++) {
  const text = [
    `MSH|^~\\&|NODE|HIS|BUCKY|RAD|20260105080000||ADT^A08^ADT_A01|NODE${number}|P|2.5.1||||||UNICODE UTF-8`,
    `PID|1||N${number % 10}^^^HIS^MR||Nodó^Visit${number}`,
  ].join("\r");
  const answer = new Promise((resolve) => (answered = resolve));
  await outbound.sendMessage(new Message({ text }));
  console.log(await answer);
}
await outbound.close();
clearInterval(awake);
