// Lives four proposals through PostgreSQL and Temporal, and prints what a
// frontend would show. It places paper orders of 25 EUR each.

import { randomUUID } from "node:crypto";
import { Client, Connection } from "@temporalio/client";
import { loadClientConnectConfig } from "@temporalio/envconfig";
import pg from "pg";
import type { ExecuteResult, State } from "./contract.js";
import { Proposals, Refused } from "./temporal.js";

const name = process.argv[2] ?? `temporal-${randomUUID().slice(0, 8)}`;
const order = { market: "ETH-EUR", side: "buy", amountQuote: "25", confidence: "0.9" } as const;

// TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and so on.
const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const temporal = new Client({ connection, ...(namespace && { namespace }) });
const database = new pg.Pool({ connectionString: required("DATABASE_URL"), connectionTimeoutMillis: 5000, query_timeout: 5000 });
database.on("error", (fault) => console.error("an idle connection broke:", fault.message)); // else it would end the process
const proposals = new Proposals(temporal, database, process.env["INTERLOCK_ACCOUNT"] ?? "paper", required("INTERLOCK_USER"));

try {
  const first = await store(`${name}-1`);
  const states = proposals.watch(first, aMinute());
  show(first, (await states.next()).value);
  const end = watch(first, states);
  const requestId = randomUUID();
  print("executed", first, told(await proposals.execute(first, {}, requestId)));
  await end;
  print("asked again", first, told(await proposals.execute(first, {}, requestId)));
  print("another request", first, told(await proposals.execute(first)));

  const second = await store(`${name}-2`);
  print("executed", second, told(await proposals.execute(second)));
  const kept = await proposals.override(second, { cooldown: true, reason: "news" });
  print("override", second, kept.accepted ? "kept" : `refused: ${kept.problem}`);
  print("executed", second, told(await proposals.execute(second)));

  const third = await store(`${name}-3`);
  const overridden = watch(third);
  await proposals.overrideLater(third, { cooldown: true, reason: "more news", execute: true });
  await overridden;

  const fourth = await store(`${name}-4`);
  print("too late", fourth, told(await proposals.execute(fourth, { notAfter: new Date(Date.now() - 1000).toISOString() })));
  await proposals.execute(fourth, { overrideCooldown: true }).catch(refused("without reason", fourth));
  await proposals.cancel(fourth, "changed my mind");
  await watch(fourth);

  await proposals.execute(`${name}-none`).catch(refused("executed", `${name}-none`));
  await proposals.store({ id: first, ...order, amountQuote: "26" }).catch(refused("stored", first));
  print("listed", name, `EXECUTED ${(await proposals.list("EXECUTED")).filter((id) => id.startsWith(name)).length}`);
} finally {
  await Promise.all([database.end(), connection.close()]);
}

async function store(id: string): Promise<string> {
  await proposals.store({ id, ...order });
  print("stored", id, "");
  return id;
}

async function watch(id: string, states = proposals.watch(id, aMinute())): Promise<void> {
  for await (const state of states) {
    show(id, state);
    if (state.status === "FAILED") return; // it may be executed again; here it is not
  }
}

function show(id: string, state: State | void): void {
  if (!state) return;
  const { status, order } = state;
  print("watched", id, order ? `${status} ${order.filledAmount} for ${order.filledAmountQuote}` : status);
}

function told(r: ExecuteResult): string {
  const blocks = r.blocks.map((b) => b.code).join(" ");
  return `${r.status}${r.claimed ? " claimed" : ""}${blocks && ` blocked by ${blocks}`}${r.failure ? ` ${r.failure.code}` : ""}`;
}

/** refused prints a refusal; whatever else went wrong ends the program. */
function refused(what: string, id: string): (fault: unknown) => void {
  return (fault) => {
    if (!(fault instanceof Refused)) throw fault;
    print(what, id, `refused: ${fault.code} (${fault.message})`);
  };
}

/** aMinute ends a watch of what nobody executes, as after a block. */
function aMinute(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

function print(what: string, id: string, how: string): void {
  console.log(`${what.padEnd(16)} ${id} ${how}`);
}

function required(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`set ${variable}; README.md says how`);
  return value;
}
