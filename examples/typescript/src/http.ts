// Proposals through Interlock's HTTP API. Every path, body and answer is typed
// by openapi.d.ts, which is generated from the API's own description. A token
// speaks for one user: keep it in your backend, never in a page.

import { setTimeout as pause } from "node:timers/promises";
import { EventSourceParserStream } from "eventsource-parser/stream";
import createClient, { type Client } from "openapi-fetch";
import { closed } from "./contract.js";
import type { components, paths } from "./openapi.js";

type Schemas = components["schemas"];
export type Proposal = Schemas["ProposalView"];
export type Event = Schemas["EventView"];

/** Refused is an answer that is not a success; problem.code says why, and
 * problem.blocks lists every check that did not pass. */
export class Refused extends Error {
  constructor(readonly problem: Schemas["Problem"]) {
    super(problem.message);
  }
}

/** Unanswered means that it is not known here whether the request arrived. */
export class Unanswered extends Error {}

/** patience lets the API's own fifteen seconds pass first. */
const patience = 20_000;

/** requestLife is how long after its arrival a request may still be claimed. */
const requestLife = 30_000;

export class Proposals {
  private readonly api: Client<paths>;

  constructor(baseUrl: string, token: string) {
    this.api = createClient<paths>({
      baseUrl,
      headers: { Authorization: `Bearer ${token}` },
      fetch: (request) => fetch(request, { signal: AbortSignal.timeout(patience), redirect: "error" }),
    });
  }

  /** store keeps a proposal, once: storing the same again changes nothing, so
   * an answer that was lost is asked for again. */
  async store(body: Schemas["ProposalBody"]): Promise<Proposal> {
    const ask = () => answer(this.api.POST("/api/trading/proposals", { body }));
    return ask().catch((fault: unknown) => {
      if (fault instanceof Unanswered) return ask();
      throw fault;
    });
  }

  /** execute asks for the order once, and never again by itself. It returns the
   * proposal EXECUTED, or EXECUTING or UNRESOLVED while the order is open: watch
   * it. When the answer is lost, the records say what became of the request. */
  async execute(body: Schemas["ExecuteBody"]): Promise<Proposal> {
    const asked = Date.now();
    try {
      await answer(this.api.POST("/api/trading/execute", { body }));
    } catch (fault) {
      const notAfter = fault instanceof Refused ? fault.problem.notAfter : new Date(asked + patience + requestLife).toISOString();
      if (!notAfter || !(fault instanceof Refused || fault instanceof Unanswered)) throw fault;
      return this.settled(body.proposalId, Date.parse(notAfter));
    }
    return this.get(body.proposalId);
  }

  /** override permits one execution in spite of cooldown or anti-flip. */
  async override(id: string, body: Schemas["OverrideBody"]): Promise<Schemas["OverrideView"]> {
    return answer(this.api.POST("/api/trading/proposals/{id}/override", { params: { path: { id } }, body }));
  }

  /** cancel gives a proposal up. After the claim it stops further attempts and
   * cancels an open order; what was filled stays filled. */
  async cancel(id: string, reason: string): Promise<Proposal> {
    return answer(this.api.POST("/api/trading/proposals/{id}/cancel", { params: { path: { id } }, body: { reason } }));
  }

  /** get is the proposal and what has become of it. */
  async get(id: string): Promise<Proposal> {
    return answer(this.api.GET("/api/trading/proposals/{id}", { params: { path: { id } } }));
  }

  /** list is the user's newest proposals in a status. */
  async list(status: NonNullable<paths["/api/trading/proposals"]["get"]["parameters"]["query"]>["status"] & string): Promise<Proposal[]> {
    return (await answer(this.api.GET("/api/trading/proposals", { params: { query: { status } } }))).proposals;
  }

  /** watch yields the proposal whenever its status is another, until it is
   * closed or nobody looks any more. A FAILED one may be executed again: leave
   * the loop if it is not. */
  async *watch(id: string, stop: AbortSignal, every = 200): AsyncGenerator<Proposal, void> {
    for (let last = ""; !closed(last) && !stop.aborted; await pause(every)) {
      const now = await this.get(id).catch(unlessPassing);
      if (!now || now.status === last) continue;
      last = now.status;
      yield now;
    }
  }

  /** events yields what happens to the user, from now on or after an event that
   * was seen. It connects again by itself, and misses nothing: keep the id of
   * the last one, and go on after it when your backend starts again. */
  async *events(stop: AbortSignal, after?: number): AsyncGenerator<Event, void> {
    for (; !stop.aborted; await pause(2000, undefined, { signal: stop }).catch(() => {})) {
      try {
        const { body, from } = await this.listen(stop, after);
        after = from;
        for await (const { data } of body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
          const event = JSON.parse(data) as Event;
          after = event.id;
          yield event;
        }
      } catch (fault) {
        if (fault instanceof Refused) unlessPassing(fault); // whatever else ended it: connect again
      }
    }
  }

  private async listen(stop: AbortSignal, after?: number): Promise<{ body: ReadableStream<Uint8Array<ArrayBuffer>>; from: number }> {
    const { data, error, response } = await this.api.GET("/api/trading/events", {
      params: { header: after === undefined ? {} : { "Last-Event-ID": String(after) } },
      parseAs: "stream",
      fetch: (request) => fetch(request, { signal: stop, redirect: "error" }),
    });
    if (error) throw new Refused(error);
    return { body: data as ReadableStream<Uint8Array<ArrayBuffer>>, from: Number(response.headers.get("Last-Event-ID")) };
  }

  /** settled waits until a request without an answer has won the claim or can
   * do so no more. */
  private async settled(id: string, notAfter: number): Promise<Proposal> {
    for (;; await pause(1000)) {
      const over = Date.now() > notAfter + 5000; // the clocks may differ
      const now = await this.get(id).catch(unlessPassing);
      if (now && (over || (now.status !== "PENDING" && now.status !== "FAILED"))) return now;
    }
  }
}

/** answer tells an answer from a refusal, and both from silence. */
async function answer<Data>(asked: Promise<{ data?: Data; error?: Schemas["Problem"]; response: Response }>): Promise<Data> {
  let reply: Awaited<typeof asked>;
  try {
    reply = await asked;
  } catch (fault) {
    throw new Unanswered("the API gave no answer", { cause: fault });
  }
  if (reply.data !== undefined) return reply.data;
  if (reply.error?.code) throw new Refused(reply.error);
  throw new Unanswered(`something that is not the API answered ${reply.response.status}`);
}

/** unlessPassing goes on reading through silence and 503. */
function unlessPassing(fault: unknown): undefined {
  if (fault instanceof Unanswered || (fault instanceof Refused && fault.problem.status === 503)) return;
  throw fault;
}
