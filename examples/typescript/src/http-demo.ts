// Lives three proposals over HTTP, and prints what a frontend would show. It
// places paper orders of 25 EUR each.

import { randomUUID } from "node:crypto";
import { type Proposal, Proposals, Refused } from "./http.js";

const name = process.argv[2] ?? `http-${randomUUID().slice(0, 8)}`;
const order = { market: "BTC-EUR", side: "buy", amountQuote: "25", confidence: "0.9" };

const token = process.env["INTERLOCK_TOKEN"];
if (!token) throw new Error("set INTERLOCK_TOKEN; README.md says how");
const proposals = new Proposals(process.env["INTERLOCK_URL"] ?? "http://127.0.0.1:8085", token);

const first = await store(`${name}-1`);
const states = proposals.watch(first, aMinute());
show(first, (await states.next()).value);
const end = watch(first, states);
await execute(first);
await end;
await execute(first);

const second = await store(`${name}-2`);
await execute(second);
const { overrideId } = await proposals.override(second, { cooldown: true, reason: "news" });
print("override", second, overrideId && "kept");
await execute(second);

const third = await store(`${name}-3`);
await execute(third, { overrideCooldown: true });
await proposals.cancel(third, "changed my mind");
await watch(third);
await execute(third);

await execute(`${name}-none`);
await proposals.store({ id: first, ...order, amountQuote: "26" }).catch(refused("stored", first));
print("listed", name, `EXECUTED ${(await proposals.list("EXECUTED")).filter((p) => p.id.startsWith(name)).length}`);

async function store(id: string): Promise<string> {
  const { status } = await proposals.store({ id, ...order });
  print("stored", id, status);
  return id;
}

async function execute(id: string, how: { overrideCooldown?: boolean; reason?: string } = {}): Promise<void> {
  await proposals.execute({ proposalId: id, ...how }).then((p) => print("executed", id, told(p)), refused("executed", id));
}

async function watch(id: string, states = proposals.watch(id, aMinute())): Promise<void> {
  for await (const proposal of states) {
    show(id, proposal);
    if (proposal.status === "FAILED") return; // it may be executed again; here it is not
  }
}

function show(id: string, proposal: Proposal | void): void {
  if (proposal) print("watched", id, told(proposal));
}

function told({ status, order, failure }: Proposal): string {
  if (failure) return `${status} ${failure.code}`;
  return order ? `${status} ${order.filledAmount} for ${order.filledAmountQuote}` : status;
}

/** refused prints a refusal; whatever else went wrong ends the program. */
function refused(what: string, id: string): (fault: unknown) => void {
  return (fault) => {
    if (!(fault instanceof Refused)) throw fault;
    const { status, code, blocks } = fault.problem;
    print(what, id, `refused: ${status} ${blocks?.map((b) => b.code).join(" ") ?? code}`);
  };
}

/** aMinute ends a watch of what nobody executes, as after a block. */
function aMinute(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

function print(what: string, id: string, how: string): void {
  console.log(`${what.padEnd(10)} ${id} ${how}`);
}
