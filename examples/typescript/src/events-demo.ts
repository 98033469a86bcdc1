// Prints what happens to the user until Ctrl-C: from now on, or after the event
// whose ID is given.

import { Proposals } from "./http.js";

const token = process.env["INTERLOCK_TOKEN"];
if (!token) throw new Error("set INTERLOCK_TOKEN; README.md says how");
const proposals = new Proposals(process.env["INTERLOCK_URL"] ?? "http://127.0.0.1:8085", token);

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const after = process.argv[2];
for await (const { id, kind, text } of proposals.events(stop.signal, after === undefined ? undefined : Number(after))) {
  console.log(id, kind, text);
}
