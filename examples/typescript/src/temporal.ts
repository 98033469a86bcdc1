// Proposals through PostgreSQL and Temporal, without Interlock's HTTP API or
// any of its code: a row stores a proposal, its workflow does the rest.
// Temporal knows nothing of your users, so every method first reads whose
// proposal it is.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  ApplicationFailure,
  type Client,
  ServiceError,
  WithStartWorkflowOperation,
  type Workflow,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
} from "@temporalio/client";
import type pg from "pg";
import {
  type CancelRequest,
  type ExecuteRequest,
  type ExecuteResult,
  type OverrideRequest,
  type OverrideResult,
  type State,
  type Status,
  closed,
  names,
} from "./contract.js";

/** NewProposal is one order. Give amount or amountQuote; a limit order has a
 * price and an amount. Amounts are decimals in strings. */
export interface NewProposal {
  id: string; // unique over all users
  market: string; // "BTC-EUR"
  side: "buy" | "sell";
  orderType?: "market" | "limit";
  amount?: string;
  amountQuote?: string;
  price?: string;
  confidence: string; // "0" to "1"
  rationale?: string;
}

/** Refused means that nothing was done, and code says why. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Unanswered means that the outcome is not known here. Nothing was lost:
 * watch the proposal. It never trades after notAfter unless it was claimed
 * before. */
export class Unanswered extends Error {}

const requestLife = 30_000;

export class Proposals {
  /** user must be who has signed in with you, never what a request says. */
  constructor(
    private readonly temporal: Client,
    private readonly database: pg.Pool,
    private readonly account: string,
    private readonly user: string,
    private readonly patience = 15_000, // an answer takes up to ten seconds
  ) {}

  /** store keeps a proposal, once: storing the same again changes nothing. */
  async store(p: NewProposal): Promise<void> {
    const values = [
      p.id, this.user, this.account, p.market, p.side, p.orderType ?? "market", p.amount ?? null,
      p.amountQuote ?? null, p.price ?? null, p.confidence, p.rationale ?? "",
    ];
    await this.database.query(storeSQL, values);
    const { rows: [stored] } = await this.database.query<{ same: boolean }>(sameSQL, values);
    if (!stored?.same) throw new Refused("PROPOSAL_CONFLICT", `${p.id} belongs to another proposal; use another ID`);
    // Interlock's sweep starts the workflow of a stored proposal soon; this
    // only makes it visible at once.
    const start = () => this.temporal.workflow.start(names.proposal, { ...startOptions(p.id), args: [{}] });
    await this.temporal.withDeadline(Date.now() + 1000, start).catch(() => {});
  }

  /** execute asks for the order, once or not at all, and answers how things
   * stand after at most ten seconds. Give the same requestId to ask again after
   * a lost answer: the verdict stays the same. */
  async execute(id: string, request: Omit<ExecuteRequest, "actor"> = {}, requestId: string = randomUUID()): Promise<ExecuteResult> {
    const notAfter = request.notAfter ?? new Date(Date.now() + requestLife).toISOString();
    return this.update(names.execute, id, requestId, { ...request, actor: this.user, notAfter } satisfies ExecuteRequest);
  }

  /** override permits one execution in spite of cooldown or anti-flip. */
  async override(id: string, request: Omit<OverrideRequest, "actor">): Promise<OverrideResult> {
    return this.update(names.override, id, randomUUID(), { ...request, actor: this.user } satisfies OverrideRequest);
  }

  /** overrideLater does the same without waiting for an answer: the proposal
   * shows what became of it. */
  async overrideLater(id: string, request: Omit<OverrideRequest, "actor">): Promise<void> {
    await this.signal(names.override, id, { ...request, actor: this.user } satisfies OverrideRequest);
  }

  /** cancel gives a proposal up. After the claim it stops further attempts and
   * cancels an open order; what was filled stays filled. */
  async cancel(id: string, reason: string): Promise<void> {
    await this.signal(names.cancel, id, { actor: this.user, reason } satisfies CancelRequest);
  }

  /** state is how the proposal stands. */
  async state(id: string): Promise<State> {
    const status = await this.own(id);
    try {
      return await this.bounded(() => this.temporal.workflow.getHandle(id).query<State>(names.state));
    } catch (fault) {
      if (!(fault instanceof WorkflowNotFoundError)) throw fault;
      // It was not started yet, or Temporal has forgotten it; the row has not.
      return { proposalId: id, status, blocks: [], attempts: 0, looks: 0 };
    }
  }

  /** watch yields the state whenever its status is another, until the proposal
   * is closed or nobody looks any more. A FAILED one may be executed again:
   * leave the loop if it is not. */
  async *watch(id: string, stop: AbortSignal, every = 200): AsyncGenerator<State, void> {
    for (let last: Status | "" = ""; !closed(last) && !stop.aborted; await pause(every)) {
      const state = await this.state(id).catch((fault: unknown) => {
        if (!unanswered(fault)) throw fault;
      });
      if (!state || state.status === last) continue;
      last = state.status;
      yield state;
    }
  }

  /** list names the user's proposals in a status, as Temporal's search shows
   * them: a moment late, so decide nothing by it. */
  async list(status: Status): Promise<string[]> {
    const query = `WorkflowType = "${names.proposal}" AND UserId = ${JSON.stringify(this.user)} AND ProposalStatus = "${status}"`;
    const ids = new Set<string>(); // a proposal that was asked again after its end has several runs
    for await (const found of this.temporal.workflow.list({ query })) ids.add(found.workflowId);
    return [...ids];
  }

  /** own fails unless the proposal is the user's on this account. */
  private async own(id: string): Promise<Status> {
    const { rows: [row] } = await this.database.query<{ status: Status }>(ownSQL, [id, this.user, this.account]);
    if (!row) throw new Refused("NOT_FOUND", `there is no proposal ${id} of yours`);
    return row.status;
  }

  /** update asks until there is an answer, always with the same ID: what was
   * decided is told again, never decided again. */
  private async update<Request, Result>(name: string, id: string, updateId: string, request: Request): Promise<Result> {
    await this.own(id);
    for (const until = Date.now() + 2 * requestLife; ; await pause(500)) {
      try {
        return await this.bounded(() =>
          this.temporal.workflow.executeUpdateWithStart<Workflow, Result, [Request]>(name, {
            updateId,
            args: [request],
            startWorkflowOperation: new WithStartWorkflowOperation(names.proposal, { ...startOptions(id), args: [{}] }),
          }),
        );
      } catch (fault) {
        if (fault instanceof WorkflowUpdateFailedError && fault.cause instanceof ApplicationFailure) {
          throw new Refused(fault.cause.type ?? "", fault.cause.message);
        }
        if (!unanswered(fault)) throw fault;
        if (Date.now() > until) throw new Unanswered(`${name} ${id} has no answer yet`, { cause: fault });
      }
    }
  }

  private async signal<Request>(name: string, id: string, request: Request): Promise<void> {
    await this.own(id);
    await this.bounded(() =>
      this.temporal.workflow.signalWithStart(names.proposal, {
        ...startOptions(id), args: [{}], signal: name, signalArgs: [request],
      }),
    );
  }

  private bounded<Result>(ask: () => Promise<Result>): Promise<Result> {
    return this.temporal.withDeadline(Date.now() + this.patience, ask);
  }
}

/** startOptions let whoever comes second meet the workflow that is there, and
 * start it again when it is over: it reads the stored truth first. */
function startOptions(id: string) {
  return {
    workflowId: id,
    taskQueue: names.queue,
    workflowIdConflictPolicy: "USE_EXISTING",
    workflowIdReusePolicy: "ALLOW_DUPLICATE",
  } as const;
}

/** unanswered says that asking again may help. 14 is UNAVAILABLE. */
function unanswered(fault: unknown): boolean {
  if (fault instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(fault)) return true;
  const cause = fault instanceof ServiceError ? fault.cause : fault;
  return isGrpcServiceError(cause) && cause.code === 14;
}

const storeSQL = `
  INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, order_type, amount, amount_quote, price, confidence, rationale)
  VALUES ($1, $2, $3, $4, $5, $6, $7::numeric, $8::numeric, $9::numeric, $10::numeric, $11)
  ON CONFLICT (id) DO NOTHING`;

const sameSQL = `
  SELECT (user_id, account_id, market, side, order_type, amount, amount_quote, price, confidence, rationale) IS NOT DISTINCT FROM
    ($2::text, $3::text, $4::text, $5::text, $6::text, $7::numeric, $8::numeric, $9::numeric, $10::numeric, $11::text) AS same
  FROM interlock.trade_proposals WHERE id = $1`;

const ownSQL = `SELECT status FROM interlock.trade_proposals WHERE id = $1 AND user_id = $2 AND account_id = $3`;
