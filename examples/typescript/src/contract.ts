// The names and JSON of Interlock's workflows, as workflows/contract.go states
// them. Fields are only ever added, so ignore those you do not know. Amounts
// are decimals in strings: a JavaScript number would lose digits. Times are RFC
// 3339.

export const names = {
  proposal: "Proposal", // workflow type; the workflow ID is the proposal's ID
  queue: "proposals",
  execute: "execute", // update
  override: "override", // update and signal
  cancel: "cancel", // signal
  resolve: "resolve", // update and signal
  state: "state", // query
} as const;

export type Status = "PENDING" | "EXECUTING" | "UNRESOLVED" | "EXECUTED" | "FAILED" | "EXPIRED" | "CANCELLED";

/** closed says that nothing can change any more. A FAILED proposal may be
 * executed again until it expires; an UNRESOLVED one waits for the exchange. */
export function closed(status: string): boolean {
  return status === "EXECUTED" || status === "EXPIRED" || status === "CANCELLED";
}

export interface ProposalInput {
  looks?: number;
  taken?: ResolveRequest; // said by the workflow itself when it continues as new
}

export interface ExecuteRequest {
  actor: string;
  overrideCooldown?: boolean;
  overrideAntiFlip?: boolean;
  reason?: string; // required with an override
  notAfter?: string; // a request that is judged later than this never trades
}

export interface ExecuteResult {
  status: Status;
  claimed: boolean; // this request won the right to place the order
  blocks: Block[]; // every check that did not pass
  policyVersion?: number;
  order?: OrderView;
  failure?: FailureView; // set while FAILED
}

export interface Block {
  code: string;
  message: string;
}

export interface OrderView {
  orderId: string;
  clientOrderId: string;
  status: string;
  filledAmount: string;
  filledAmountQuote: string;
  feePaid: string;
  feeCurrency?: string;
}

export interface FailureView {
  code: string;
  exchangeCode?: string;
  message?: string;
}

export interface OverrideRequest {
  id?: string; // derived from the content when it is left out
  cooldown?: boolean;
  antiFlip?: boolean;
  checks?: string[]; // the same by name: COOLDOWN_BLOCKED, ANTI_FLIP_BLOCKED
  actor: string;
  reason: string;
  expiresAt?: string; // 15 minutes from now when it is left out
  execute?: boolean; // execute with it at once
}

export interface OverrideResult {
  overrideId: string;
  accepted: boolean;
  problem?: string;
  execute?: ExecuteResult;
}

export interface CancelRequest {
  actor: string;
  reason: string;
}

export interface ResolveRequest {
  orderId?: string;
  absent?: boolean;
  actor: string;
  reason: string;
}

export interface ResolveResult {
  accepted: boolean;
  problem?: string;
  status: Status;
  order?: OrderView;
  failure?: FailureView;
}

export interface AttemptView {
  number: number;
  at?: string;
  reply: string; // "unknown" while it is in doubt
  code?: string;
  message?: string;
  orderId?: string;
}

export interface LookView {
  attempt: number;
  at: string;
  saw: string;
  detail?: string;
  orders?: string[];
}

export interface WordView {
  orderId?: string;
  absent?: boolean;
  actor: string;
  reason: string;
  at: string;
  weighed: boolean;
  accepted: boolean;
  problem?: string;
}

export interface State {
  proposalId: string;
  status: Status | ""; // empty until the workflow has read the proposal
  blocks: Block[]; // of the last check
  order?: OrderView;
  failure?: FailureView;
  attempts: number;
  looks: number;
  nextLook?: string;
  expiresAt?: string;
  tried?: AttemptView[];
  looked?: LookView[];
  word?: WordView;
  recording?: RecordingView; // a transaction on the records that is being tried
  refused?: RefusalView[]; // the last signals that were refused
}

export interface RecordingView {
  activity: string;
  since: string;
}

export interface RefusalView {
  signal: string;
  actor?: string;
  problem: string;
  at: string;
}
