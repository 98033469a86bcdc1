package main

// mutant takes one lock away. The named test must fail without it; each of
// these tests meets its lock alone, with nothing else in front of it.
type mutant struct {
	name string
	why  string // what could happen without the lock
	file string
	old  string
	new  string
	pkg  string
	test string
}

// table is every lock of the order protocol.
var table = []mutant{
	{
		name: "no unique constraint on executions", why: "two claims of one proposal",
		file: "migrations/0001_trading.sql", old: "\tUNIQUE (user_id, proposal_id),\n", new: "",
		pkg: "./internal/postgres", test: "TestDatabaseItselfRefusesASecondExecution",
	},
	{
		name: "the lock taken after reading the facts", why: "two claims within one limit",
		file: "internal/postgres/preflight.go",
		old: "\tif err := lockForProposal(ctx, tx, req.ProposalID); err != nil {\n\t\treturn trade.Decision{}, err\n\t}\n" +
			"\tif d, err := earlierDecision(ctx, tx, req); !errors.Is(err, pgx.ErrNoRows) {\n\t\treturn d, err\n\t}\n" +
			"\tp, err := readProposal(ctx, tx, req.ProposalID)\n\tif err != nil {\n\t\treturn trade.Decision{}, err\n\t}\n" +
			"\tfacts, err := readFacts(ctx, tx, p)\n\tif err != nil {\n\t\treturn trade.Decision{}, err\n\t}\n",
		new: "\tp, err := readProposal(ctx, tx, req.ProposalID)\n\tif err != nil {\n\t\treturn trade.Decision{}, err\n\t}\n" +
			"\tfacts, err := readFacts(ctx, tx, p)\n\tif err != nil {\n\t\treturn trade.Decision{}, err\n\t}\n" +
			"\tif err := lockForProposal(ctx, tx, req.ProposalID); err != nil {\n\t\treturn trade.Decision{}, err\n\t}\n" +
			"\tif d, err := earlierDecision(ctx, tx, req); !errors.Is(err, pgx.ErrNoRows) {\n\t\treturn d, err\n\t}\n",
		pkg: "./internal/postgres", test: "TestLimitIsReadAfterTheTurn",
	},
	{
		name: "the attempt's row not required", why: "a worker that wakes up late sends again",
		file: "activities/orders/place.go", old: "\tif answer != nil {\n\t\treturn *answer\n\t}\n", new: "\t_ = answer\n",
		pkg: "./activities/orders", test: "TestNothingIsSentUnlessTheAttemptIsOurs",
	},
	{
		name: "a row that is not known to be ours is used", why: "a commit with a lost answer is sent twice",
		file: "activities/orders/place.go",
		old:  "\tif err != nil {\n\t\treturn unknown(\"the attempt may have begun: %v\", err)\n\t}\n", new: "",
		pkg: "./activities/orders", test: "TestNothingIsSentUnlessTheAttemptIsOurs",
	},
	{
		name: "two attempts in doubt at once", why: "a second order while the first may still come",
		file: "migrations/0001_trading.sql",
		old:  "CREATE UNIQUE INDEX order_attempts_one_alive", new: "CREATE INDEX order_attempts_one_alive",
		pkg: "./internal/postgres", test: "TestDatabaseItselfRefusesASecondAttemptInDoubt",
	},
	{
		name: "no void on conclusion", why: "a frozen worker begins an attempt that was given up",
		file: "internal/trade/execution.go",
		old:  "return Changes{Begun: &void}, found", new: "return Changes{}, found",
		pkg: "./internal/postgres", test: "TestAttemptThatNeverBeganIsVoidAndAZombieCannotUseIt",
	},
	{
		name: "sent without looking first", why: "an order that is there already is placed again",
		file: "internal/trade/seen.go",
		old:  "\tcase l.Result == Found && len(l.Orders) == 1 && s.Plan.Matches(l.Orders[0]):\n", new: "\tcase false:\n",
		pkg: "./activities/orders", test: "TestAnOrderThatIsThereAlreadyIsAdopted",
	},
	{
		name: "a lost reply taken for a failure", why: "an order that was placed is placed again",
		file: "internal/bitvavo/orders/place.go",
		old:  "\t\treturn unknown(CodeNoReply, err.Error())\n", new: "\t\treturn notSent(CodeNoReply, err.Error())\n",
		pkg: "./internal/bitvavo/orders", test: "TestLostReplyIsUnknownNotFailed",
	},
	{
		name: "a lost activity taken for a failure", why: "an order that was placed is placed again",
		file: "workflows/order.go",
		old:  "\tif err == nil && placing.Outcome() != \"\" {\n\t\treturn placing, nil\n\t}\n",
		new: "\tif err == nil && placing.Outcome() != \"\" {\n\t\treturn placing, nil\n\t}\n" +
			"\tif err != nil {\n\t\treturn trade.AttemptResult{Reply: trade.NotSent, Code: string(trade.OrderAbsent)}, nil\n\t}\n",
		pkg: "./workflows", test: "TestLostPlaceOrderActivityIsLookedForAndNeverRepeated",
	},
	{
		name: "no deadline in the signature", why: "the exchange takes the order of a worker that woke up late",
		file: "internal/bitvavo/orders/place.go",
		old:  "c.keys.sign(req, body, deadline.Add(-trade.AccessWindow), trade.AccessWindow)",
		new:  "c.keys.sign(req, body, deadline.Add(-left), trade.AccessWindow)",
		pkg:  "./internal/bitvavo/orders", test: "TestSignatureEndsAtTheDeadlineWhateverThisMachinesClockSays",
	},
	{
		name: "sent past the deadline", why: "an order leaves that was concluded to be absent",
		file: "internal/bitvavo/orders/place.go", old: "\tcase left <= 0:\n", new: "\tcase false:\n",
		pkg: "./internal/bitvavo/orders", test: "TestPastTheDeadlineNothingIsSent",
	},
	{
		name: "one look instead of two", why: "an order that is shown late is taken for absent",
		file: "internal/trade/attempt.go",
		old:  "\t\t\tfirst = look.ExchangeTime\n", new: "\t\t\treturn OutcomeAbsent, time.Time{}\n",
		pkg: "./internal/trade", test: "TestAbsenceAlwaysTakesTwoLateLooksApart",
	},
	{
		name: "looked before the deadline", why: "an order still on its way is taken for absent",
		file: "internal/trade/attempt.go", old: "return d.Deadline.Add(d.lag())", new: "return d.Deadline.Add(-time.Hour)",
		pkg: "./internal/trade", test: "TestAbsenceAlwaysTakesTwoLateLooksApart",
	},
	{
		name: "404 without errorCode 240 taken for absent", why: "a wrong path makes every order absent",
		file: "internal/bitvavo/orders/look.go",
		old:  "\tcase hasCode(err, codeNotFound):\n", new: "\tcase err != nil:\n",
		pkg: "./internal/bitvavo/orders", test: "TestNoClearAnswerIsNeverAnAbsence",
	},
	{
		name: "halt not locked", why: "an attempt begins after the halt has committed",
		file: "migrations/0003_roles.sql", old: " ORDER BY scope FOR SHARE LOOP", new: " ORDER BY scope LOOP",
		pkg: "./internal/postgres", test: "TestHaltWaitsForWhoeverHoldsTheState",
	},
	{
		name: "one run's claim carried out by another", why: "a reset workflow sends what was sent before",
		file: "workflows/order.go", old: "\tif !p.carry.mine {\n", new: "\tif !p.carry.mine && p.life.InDoubt > 0 {\n",
		pkg: "./workflows", test: "TestResumedClaimIsFinishedByLookingNeverBySending",
	},
	{
		name: "a change that older runs follow too", why: "a running proposal stands still, its claim with it",
		file: "workflows/changes.go", old: "workflow.DefaultVersion, 1) == 1", new: "workflow.DefaultVersion, 1) <= 1",
		pkg: "./workflows", test: "TestEveryStoredHistoryReplays",
	},
	{
		name: "requests counted without a lock", why: "workers together ask more than the exchange allows, and are banned",
		file: "migrations/0007_requests.sql",
		old:  "\tSELECT * INTO b FROM request_budgets WHERE account_id = account FOR UPDATE;\n\tIF NOT FOUND",
		new:  "\tSELECT * INTO b FROM request_budgets WHERE account_id = account;\n\tIF NOT FOUND",
		pkg:  "./internal/postgres", test: "TestRivalsAreGrantedNoMoreThanTheLimitInAnyWindow",
	},
	{
		name: "an ID closed beside who stores it", why: "a proposal that an earlier system began is executed here",
		file: "migrations/0008_handover.sql",
		old:  "\tPERFORM pg_advisory_xact_lock_shared(hashtextextended('interlock closed elsewhere', 0));\n", new: "",
		pkg: "./internal/postgres", test: "TestAClosedIDCancelsWhatIsJustBeingStored",
	},
	{
		name: "an account resumed beside its cancel-open", why: "orders are cancelled that were placed after the resume",
		file: "internal/postgres/cancelopen.go",
		old:  "\tif state != trade.Halted {\n\t\tlist", new: "\tif false {\n\t\tlist",
		pkg: "./internal/postgres", test: "TestNothingIsCompleteWhileTheAccountMayTrade",
	},
	{
		name: "complete although more may appear", why: "an order of a lost future stays open",
		file: "internal/postgres/cancelopen.go",
		old:  "\tcase c.Began.Before(*from):\n", new: "\tcase false:\n",
		pkg: "./internal/postgres", test: "TestARestartedDatabaseWaitsForWhatItMayHaveLost",
	},
	{
		name: "one person counted twice", why: "four eyes are met by one person with two tokens",
		file: "internal/trade/override.go",
		old:  "slices.DeleteFunc(slices.Compact(list),", new: "slices.DeleteFunc(list,",
		pkg: "./internal/trade", test: "TestFourEyesAreTwoDifferentVerifiedPeople",
	},
	{
		name: "events numbered without a lock", why: "an event appears below a number that was seen, and is missed",
		file: "migrations/0011_outbox.sql",
		old:  "\tPERFORM pg_advisory_xact_lock(hashtextextended('interlock outbox', 0));\n", new: "",
		pkg: "./internal/postgres", test: "TestConcurrentCommittersLoseNoEvent",
	},
	{
		name: "a later event before an earlier one", why: "executed is told before unresolved",
		file: "internal/postgres/deliveries.go",
		old:  "x.rule_id = d.rule_id AND x.proposal_id = d.proposal_id AND x.event_id < d.event_id", new: "false",
		pkg: "./internal/postgres", test: "TestALaterEventOfAProposalWaitsForTheEarlierOne",
	},
	{
		name: "an attempt of a claim that is not in force", why: "a stranger, or a run of yesterday, spends another's claim",
		file: "internal/trade/execution.go", old: "SameClaim: requestID == e.RequestID", new: "SameClaim: true",
		pkg: "./internal/postgres", test: "TestAttemptNeedsItsClaimInForce",
	},
	{
		name: "an attempt out of turn", why: "a stranger takes a number, and the workflow's own attempt has no place",
		file: "internal/trade/execution.go", old: "OutOfTurn: number != e.NextAttempt()", new: "OutOfTurn: false",
		pkg: "./internal/postgres", test: "TestOnlyTheNextNumberBegins",
	},
	{
		name: "a wish judged by a reading of another", why: "an invented clock says that a hidden order is absent",
		file: "internal/trade/seen.go", old: "return r != nil && r.OrderID == w.OrderID && now.Sub(r.ReadAt) <= maxReadingAge", new: "return r != nil",
		pkg: "./internal/postgres", test: "TestAWishIsJudgedByWhatRoleOrdersHasJustRead",
	},
	{
		name: "an order taken for two proposals", why: "the other proposal can never be recorded",
		file: "migrations/0014_order_facts.sql", old: "CREATE UNIQUE INDEX order_attempts_one_order", new: "CREATE INDEX order_attempts_one_order",
		pkg: "./internal/postgres", test: "TestAnOrderIsNeverTakenForTwoProposals",
	},
	{
		name: "what an order filled written by who concludes", why: "a forged end is recorded, and a trade counts for nothing",
		file: "migrations/0014_order_facts.sql", old: "REVOKE INSERT ON interlock.order_fills FROM interlock_proposals;\n", new: "",
		pkg: "./internal/postgres", test: "TestEachFactIsWrittenByTheRolesThatTheDocumentNamesAndByNobodyElse",
	},
	{
		name: "an order recorded that was not accepted", why: "another order's fills are taken for the proposal's",
		file: "internal/trade/execution.go", old: "case e.Final.OrderID != e.Accepted():", new: "case false:",
		pkg: "./internal/postgres", test: "TestAnOrderThatWasNotAcceptedIsNotRecorded",
	},
	{
		name: "failed while an attempt is in doubt", why: "the proposal is executed again beside an order that may come",
		file: "internal/trade/execution.go", old: "if !e.Status.Claimed() || e.alive() != nil {", new: "if !e.Status.Claimed() {",
		pkg: "./internal/postgres", test: "TestAFailureIsWhatTheRowsSay",
	},
	{
		name: "attempts out of their turn concluded", why: "a run that was lied to adds rows beside an attempt in doubt",
		file: "internal/postgres/conclude.go", old: "if e.Foreign(number) {", new: "if false {",
		pkg: "./internal/postgres", test: "TestAnAttemptThatCouldNotHaveBegunIsNotConcluded",
	},
	{
		name: "looked only back to the claim in force", why: "an order of an earlier attempt is taken for absent",
		file: "internal/trade/execution.go", old: "if a.BegunAt.Before(since) {", new: "if false {",
		pkg: "./internal/postgres", test: "TestALookupReachesBackToTheFirstAttemptAndKnowsOthersOrders",
	},
	{
		name: "an order without an ID taken for a stranger's", why: "an order that the exchange shows without our ID is taken for absent",
		file: "internal/bitvavo/orders/look.go", old: "case s.couldBe(o):", new: "case false:",
		pkg: "./internal/bitvavo/orders", test: "TestAnOrderOfOursWithoutAClientOrderIDIsADoubt",
	},
	{
		name: "regular activities of role proposals", why: "whoever reaches Temporal claims, concludes and records",
		file: "worker/roles.go", old: ", LocalActivityWorkerOnly: true,", new: ",",
		pkg: "./worker", test: "TestWhatIsSentIsTheRowsPlanWhateverAnInputSays",
	},
	{
		name: "numbers of a lost future used again", why: "a receiver takes a new event for one that it has seen",
		file: "migrations/0011_outbox.sql", old: "WHERE last.life <> database_id()", new: "WHERE false",
		pkg: "./internal/postgres", test: "TestARestoredDatabaseGivesNoEventANumberThatItsLostFutureUsed",
	},
	{
		name: "an override that looks past everything", why: "a trade that nobody could know is traded after at once",
		file: "internal/trade/override.go",
		old:  "o.own || slices.Contains(t.KnownTo, o.ID)", new: "o.own || o.ID != \"\"",
		pkg: "./internal/postgres", test: "TestAnOverrideDoesNotLookPastATradeThatWasNotCommittedWhenItWasStored",
	},
	{
		name: "a trade counted by its stamp", why: "a clock that is behind ends a cooldown early",
		file: "internal/postgres/facts.go",
		old:  "h.counts_from AS at, false AS open", new: "h.executed_at AS at, false AS open",
		pkg: "./internal/postgres", test: "TestATradeNeverCountsFromBeforeItsOwnClaimWhateverItsStamp",
	},
	{
		name: "a trade looked for by its stamp", why: "one stamped in seconds counts for nothing",
		file: "internal/postgres/facts.go",
		old:  "h.counts_from >= @since", new: "h.executed_at >= @since",
		pkg: "./internal/postgres", test: "TestATradeNeverCountsFromBeforeItsOwnClaimWhateverItsStamp",
	},
	{
		name: "a request that uses another's override as its own", why: "a claim that ends as a bug",
		file: "internal/trade/override.go",
		old:  "\tcase o.own && slices.Contains(c.facts.OverrideIDs, o.ID):\n", new: "\tcase false:\n",
		pkg: "./internal/postgres", test: "TestAnOverrideThatBearsTheRequestsIDIsUsedOrBlocksAndIsNeverABug",
	},
	{
		name: "a run told at every sweep", why: "its history fills up, and a cancel is refused",
		file: "internal/trade/follow.go",
		old:  "told > 0 && now.Sub(f.ToldAt).Abs() < tellPause(told)", new: "tellPause(told) < 0",
		pkg: "./internal/trade", test: "TestHoweverOftenSomebodySweepsARunIsToldEverMoreSeldom",
	},
	{
		name: "every newer schema served", why: "an older program works on rows that mean something else",
		file: "migrations/serves.go",
		old:  "version > latest && oldest > 0 && oldest <= latest", new: "version > latest",
		pkg: "./migrations", test: "TestASchemaServesWhoKnowsItAndWhomItsRowNames",
	},
}
