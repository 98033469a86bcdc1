package trade

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOverrideLiftsOnlyTheCheckItNames(t *testing.T) {
	both := []Code{CooldownBlocked, AntiFlipBlocked}
	flipped := func(cooldown, antiFlip bool) func(*scene) {
		return func(s *scene) {
			s.traded(Sell, 10*time.Minute)
			o := s.allow()
			o.Cooldown, o.AntiFlip = cooldown, antiFlip
		}
	}
	checkRules(t, []rule{
		{"both", flipped(true, true), nil},
		{"cooldown", flipped(true, false), []Code{AntiFlipBlocked}},
		{"antiFlip", flipped(false, true), []Code{CooldownBlocked}},
		{"neither", flipped(false, false), both},
		{"one for each", func(s *scene) {
			s.traded(Sell, 10*time.Minute)
			s.allow().AntiFlip = false
			second := s.allow()
			second.ID, second.Cooldown = "ov-2", false
		}, nil},
	})
}

func TestOverrideHoldsForItsProposalActorReasonAndLife(t *testing.T) {
	blocked := []Code{CooldownBlocked}
	given := func(change func(*Override)) func(*scene) {
		return func(s *scene) {
			s.traded(Buy, 10*time.Minute)
			change(s.allow())
		}
	}
	checkRules(t, []rule{
		{"as it should be", given(func(*Override) {}), nil},
		{"a nanosecond before it expires", given(func(o *Override) { o.ExpiresAt = noon.Add(1) }), nil},
		{"exactly when it expires", given(func(o *Override) { o.ExpiresAt = noon }), blocked},
		{"without expiry", given(func(o *Override) { o.ExpiresAt = time.Time{} }), blocked},
		{"for another proposal", given(func(o *Override) { o.ProposalID = "prop-2" }), blocked},
		{"for no proposal", given(func(o *Override) { o.ProposalID = "" }), blocked},
		{"without actor", given(func(o *Override) { o.Actor = "" }), blocked},
		{"without reason", given(func(o *Override) { o.Reason = "" }), blocked},
		{"with an actor of spaces", given(func(o *Override) { o.Actor = " \t" }), blocked},
		{"with a reason of spaces", given(func(o *Override) { o.Reason = "\n " }), blocked},
		{"whatever time it bears", given(func(o *Override) { o.StoredAt = noon.Add(-24 * time.Hour) }), nil},
		{"a trade that it could not see", func(s *scene) {
			s.allow()
			s.traded(Buy, 30*time.Minute)
		}, blocked},
		{"a trade that only another override could see", func(s *scene) {
			s.traded(Buy, 30*time.Minute)
			s.allow().ID = "ov-3"
		}, blocked},
		{"an execution that was open when it was stored", func(s *scene) {
			s.traded(Buy, 10*time.Minute)
			s.f.Trades[0].Open = true
			s.allow()
		}, nil},
		{"a trade it looks past and a later one", func(s *scene) {
			s.traded(Buy, 10*time.Minute)
			s.allow()
			s.traded(Buy, 30*time.Second)
		}, blocked},
	})
}

func TestOverrideThatTheRequestBrings(t *testing.T) {
	asked := func(change func(*Request)) func(*scene) {
		return func(s *scene) {
			s.traded(Sell, 10*time.Minute)
			s.req.OverrideCooldown, s.req.OverrideAntiFlip, s.req.Reason = true, true, "news"
			change(&s.req)
		}
	}
	both := []Code{CooldownBlocked, AntiFlipBlocked}
	checkRules(t, []rule{
		{"both", asked(func(*Request) {}), nil},
		{"cooldown only", asked(func(r *Request) { r.OverrideAntiFlip = false }), []Code{AntiFlipBlocked}},
		{"antiFlip only", asked(func(r *Request) { r.OverrideCooldown = false }), []Code{CooldownBlocked}},
		{"without reason", asked(func(r *Request) { r.Reason = "" }), both},
		{"with a reason of spaces", asked(func(r *Request) { r.Reason = "  " }), both},
		{"without actor", asked(func(r *Request) { r.Actor = "" }), both},
		{"made for another proposal", asked(func(r *Request) { r.ProposalID = "prop-2" }), both},
		{"a reason alone asks for nothing", asked(func(r *Request) { r.OverrideCooldown, r.OverrideAntiFlip = false, false }), both},
		{"under the ID of another override", func(s *scene) {
			asked(func(*Request) {})(s)
			s.f.OverrideIDs = []string{"ov-1", s.req.ID}
		}, both},
		{"beside another override", func(s *scene) {
			asked(func(*Request) {})(s)
			s.f.OverrideIDs = []string{"ov-1"}
		}, nil},
	})
}

// TestBothOverridesLiftNothingElse is stricter than the earlier system, whose
// overrides together lifted the counts too.
func TestBothOverridesLiftNothingElse(t *testing.T) {
	s := calm(t)
	s.traded(Sell, time.Minute)
	s.tradedElsewhere(20, time.Minute)
	s.allow().StoredAt = noon
	s.req.OverrideCooldown, s.req.OverrideAntiFlip, s.req.Reason = true, true, "news"
	s.req.NotAfter = noon.Add(-time.Second)
	s.p.Status, s.p.ExpiresAt, s.p.Confidence = Executed, noon, nil
	s.p.ExpectedPrice = ref(dec("1"))
	s.f.Control, s.f.UnknownOrder, s.f.Clock, s.f.ReconciledAt = Halted, "o-1", nil, nil
	s.f.Price.ObservedAt = noon.Add(-time.Hour)
	s.f.Rules.MinQuote = dec("1000")
	s.f.Executions = make([]time.Time, 20)
	for i := range s.f.Executions {
		s.f.Executions[i] = noon
	}
	s.policy.Allowlist, s.policy.MaxOrderQuote, s.policy.ExposureMarket = nil, AmountLimit{}, AmountLimit{}

	want := PreflightCodes()[1:] // all but POLICY_MISSING
	var left []Code
	for _, code := range want {
		if code != CooldownBlocked && code != AntiFlipBlocked {
			left = append(left, code)
		}
	}
	require.Equal(t, left, codes(s.verdict()))
}

func TestVerdictNamesTheOverridesItNeeded(t *testing.T) {
	s := calm(t)
	s.policy.TradesPerHour.Unlimited = true
	s.allow()
	require.Empty(t, s.verdict().UsedOverrides(), "nothing had to be lifted")

	s.traded(Sell, 10*time.Minute)
	s.f.Trades[0].KnownTo = []string{"ov-1"}
	v := s.verdict()
	require.Equal(t, []string{"ov-1"}, v.UsedOverrides())
	require.Equal(t, []string{"ov-1"}, checkOf(t, v, CooldownBlocked).OverriddenBy)
	require.True(t, checkOf(t, v, AntiFlipBlocked).Passed)

	s.traded(Buy, 10*time.Second)
	s.req.OverrideCooldown, s.req.Reason = true, "more news"
	v = s.verdict()
	require.Equal(t, []string{"ov-1", "req-1"}, v.UsedOverrides(), "each lifted the trade it was given for")
	require.False(t, v.Blocked())

	s.traded(Sell, time.Second)
	v = s.verdict()
	require.Equal(t, []Code{AntiFlipBlocked}, codes(v))
	require.Empty(t, checkOf(t, v, AntiFlipBlocked).OverriddenBy, "one that did not suffice was not used")
}

func TestOverrideProblem(t *testing.T) {
	good := Override{Cooldown: true, Actor: "anna", Reason: "news"}
	require.Empty(t, good.Problem())
	for name, c := range map[string]struct {
		change func(*Override)
		says   string
	}{
		"neither check":      {func(o *Override) { o.Cooldown = false }, "cooldown or antiFlip"},
		"no actor":           {func(o *Override) { o.Actor = "" }, "actor"},
		"blank actor":        {func(o *Override) { o.Actor = "\u00a0" }, "actor"},
		"no reason":          {func(o *Override) { o.Reason = "" }, "reason"},
		"blank reason":       {func(o *Override) { o.Reason = " " }, "reason"},
		"long actor":         {func(o *Override) { o.Actor = strings.Repeat("a", 101) }, "has 101 characters, at most 100"},
		"long reason":        {func(o *Override) { o.Reason = strings.Repeat("ä", 501) }, "has 501 characters, at most 500"},
		"unstorable reason":  {func(o *Override) { o.Reason = "a\x00b" }, "reason"},
		"an ID that is none": {func(o *Override) { o.ID = "a b\x00" }, "id: "},
		"reason not in UTF8": {func(o *Override) { o.Reason = "a\xff" }, "reason"},
	} {
		o := good
		c.change(&o)
		require.Contains(t, o.Problem(), c.says, name)
	}
	good.Actor, good.Reason = strings.Repeat("a", 100), strings.Repeat("ä", 500)
	require.Empty(t, good.Problem(), "exactly the longest")
}

// TestTheSameOverrideHasTheSameID: a signal delivered twice is one override, and
// two different ones are two.
func TestTheSameOverrideHasTheSameID(t *testing.T) {
	base := Override{ProposalID: "prop-1", Cooldown: true, Actor: "anna", Reason: "news", ExpiresAt: noon}
	seen := map[string]string{base.DerivedID(): "as it is"}
	same := base
	same.ID, same.StoredAt, same.Verified = "ov-1", noon, true
	require.Equal(t, base.DerivedID(), same.DerivedID(), "only its content counts")
	same.ExpiresAt = noon.In(time.FixedZone("east", 3600))
	require.Equal(t, base.DerivedID(), same.DerivedID(), "the same instant in another zone")

	for name, change := range map[string]func(*Override){
		"proposal": func(o *Override) { o.ProposalID = "prop-2" },
		"cooldown": func(o *Override) { o.Cooldown, o.AntiFlip = false, true },
		"both":     func(o *Override) { o.AntiFlip = true },
		"actor":    func(o *Override) { o.Actor = "ann" },
		"reason":   func(o *Override) { o.Reason = "anews" },
		"quotes":   func(o *Override) { o.Actor, o.Reason = `anna" "news`, "" },
		"expiry":   func(o *Override) { o.ExpiresAt = noon.Add(1) },
	} {
		other := base
		change(&other)
		require.Empty(t, seen[other.DerivedID()], name)
		seen[other.DerivedID()] = name
	}
}

func TestAnOverrideIsBoundToPolicyVersionAndPrice(t *testing.T) {
	given := func(change func(*scene, *Override)) func(*scene) {
		return func(s *scene) {
			s.traded(Buy, 10*time.Minute)
			change(s, s.allow())
		}
	}
	blocked := []Code{CooldownBlocked}
	at := func(price string) func(*scene, *Override) {
		return func(_ *scene, o *Override) { o.ReferencePrice = ref(dec(price)) }
	}
	require.Equal(t, "0.02", examplePolicy(t).PriceCollar.String())
	checkRules(t, []rule{
		{"as it was given", given(func(*scene, *Override) {}), nil},
		{"under another policy version", given(func(_ *scene, o *Override) { o.PolicyVersion-- }), blocked},
		{"at no price", given(func(_ *scene, o *Override) { o.ReferencePrice = nil }), blocked},
		{"the price moved to the collar's edge", given(at("49019.607843137254901961")), nil},
		{"the price rose past the collar", given(at("49019")), blocked},
		{"the price fell past the collar", given(at("51021")), blocked},
		{"for another request", given(func(_ *scene, o *Override) { o.RequestID = "req-2" }), blocked},
		{"for this request", given(func(_ *scene, o *Override) { o.RequestID = "req-1" }), nil},
		{"unverified, where the policy takes verified ones only", given(func(s *scene, _ *Override) { s.policy.VerifiedOverridesOnly = true }), blocked},
		{"verified", given(func(s *scene, o *Override) {
			s.policy.VerifiedOverridesOnly = true
			o.Verified, o.Identity = true, "anna"
		}), nil},
	})
	s := calm(t)
	given(func(_ *scene, o *Override) { o.PolicyVersion = 2 })(s)
	check := checkOf(t, s.verdict(), CooldownBlocked)
	require.Contains(t, check.Message, "override ov-1 does not hold: it was given under policy version 2, and 3 is in force")
	require.NotEmpty(t, check.Inputs["override"])
}

func TestFourEyesAreTwoDifferentVerifiedPeople(t *testing.T) {
	blocked := []Code{CooldownBlocked}
	over := func(verified bool, identity string, confirmed ...string) func(*scene) {
		return func(s *scene) {
			s.policy.FourEyes = &AmountLimit{Value: dec("101.99")} // the order is for 102 EUR at the collar
			s.traded(Buy, 10*time.Minute)
			o := s.allow()
			o.Verified, o.Identity, o.ConfirmedBy = verified, identity, confirmed
		}
	}
	checkRules(t, []rule{
		{"alone", over(true, "anna"), blocked},
		{"confirmed by herself", over(true, "anna", "anna", "anna"), blocked},
		{"confirmed by a second", over(true, "anna", "bert"), nil},
		{"unverified, confirmed by one", over(false, "", "bert"), blocked},
		{"unverified, confirmed by one twice", over(false, "", "bert", "bert"), blocked},
		{"unverified, confirmed by two", over(false, "", "bert", "carla"), nil},
		{"an identity that nobody verified", over(false, "anna", "bert"), blocked},
		{"confirmed by nobody", over(true, "anna", ""), blocked},
		{"up to the value", func(s *scene) {
			over(true, "anna")(s)
			s.policy.FourEyes.Value = dec("102")
		}, nil},
		{"knowingly unlimited", func(s *scene) {
			over(false, "")(s)
			s.policy.FourEyes = &AmountLimit{Unlimited: true}
		}, nil},
		{"by the request alone", func(s *scene) {
			over(true, "anna")(s)
			s.req.OverrideCooldown, s.req.Reason = true, "news"
		}, blocked},
	})
}

func TestAnOverrideIsRefusedAtOnceWhenItCannotHold(t *testing.T) {
	s := calm(t)
	good := OverrideFacts{Now: s.f.Now, Policy: &s.policy, PolicyVersion: 3, Price: s.f.Price}
	give := func(change func(*Override, *Proposal, *OverrideFacts)) (Override, string) {
		o, p, f := Override{ID: "ov-1", ProposalID: "prop-1", Cooldown: true, Actor: "anna", Reason: "news"}, s.p, good
		change(&o, &p, &f)
		return o.Bound(p, f)
	}
	o, problem := give(func(*Override, *Proposal, *OverrideFacts) {})
	require.Empty(t, problem)
	require.Equal(t, 3, o.PolicyVersion)
	require.Equal(t, "50000", o.ReferencePrice.String())
	o, problem = give(func(o *Override, _ *Proposal, _ *OverrideFacts) {
		o.Cooldown, o.Checks = false, []Code{AntiFlipBlocked}
	})
	require.Empty(t, problem)
	require.True(t, o.AntiFlip)
	for name, c := range map[string]struct {
		change func(*Override, *Proposal, *OverrideFacts)
		says   string
	}{
		"a check that cannot be overridden": {func(o *Override, _ *Proposal, _ *OverrideFacts) { o.Checks = []Code{DailyLimitReached} }, "DAILY_LIMIT_REACHED"},
		"no policy":                         {func(_ *Override, _ *Proposal, f *OverrideFacts) { f.Policy = nil }, "no policy"},
		"no price":                          {func(_ *Override, _ *Proposal, f *OverrideFacts) { f.Price = nil }, "no fresh market price"},
		"an old price": {func(_ *Override, _ *Proposal, f *OverrideFacts) {
			f.Price = &PriceFact{Price: dec("50000"), ObservedAt: noon.Add(-time.Hour)}
		}, "no fresh market price"},
		"its time is over":                       {func(o *Override, _ *Proposal, f *OverrideFacts) { o.ExpiresAt = f.Now }, "must be after now"},
		"its time is years away":                 {func(o *Override, _ *Proposal, f *OverrideFacts) { o.ExpiresAt = f.Now.AddDate(2, 0, 0) }, "at most a year"},
		"the price is far from the expected one": {func(_ *Override, p *Proposal, _ *OverrideFacts) { p.ExpectedPrice = ref(dec("40000")) }, "left the collar"},
		"the price is far from the limit":        {func(_ *Override, p *Proposal, _ *OverrideFacts) { p.Price = ref(dec("60000")) }, "left the collar"},
		"unverified where only verified count": {func(_ *Override, _ *Proposal, f *OverrideFacts) {
			strict := s.policy
			strict.VerifiedOverridesOnly = true
			f.Policy = &strict
		}, "verified people only"},
	} {
		_, problem := give(c.change)
		require.Contains(t, problem, c.says, name)
	}
}
