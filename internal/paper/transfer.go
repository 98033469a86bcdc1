package paper

import "math"

// Paper money neither comes from anywhere nor goes anywhere: transfers are
// refused as the exchange refuses an asset that cannot move, and there are none
// to list.

func (e *Exchange) getDeposit(r *request) (any, error) {
	r.query.need("symbol")
	if err := e.assetNamed(r.query); err != nil {
		return nil, err
	}
	return nil, refuse(codeNoDeposit)
}

func (e *Exchange) postWithdrawal(r *request) (any, error) {
	p, err := bodyParams(r.body, []string{"symbol", "amount", "address", "paymentId", "internal", "addWithdrawalFee"}, e.cfg.Options.Lenient)
	if err != nil {
		return nil, err
	}
	p.need("symbol", "amount", "address")
	p.amount("amount")
	p.text("address")
	if err := e.assetNamed(p); err != nil {
		return nil, err
	}
	return nil, refuse(codeNoWithdrawal)
}

func (e *Exchange) getTransfers(r *request) (any, error) {
	for name, high := range map[string]int64{"limit": 1000, "start": math.MaxInt64, "end": math.MaxInt64} {
		r.query.integer(name, 0, high, 0)
	}
	if err := e.assetNamed(r.query); err != nil {
		return nil, err
	}
	return []any{}, nil
}

// assetNamed complains about a symbol that is no asset here, and about whatever
// was wrong before.
func (e *Exchange) assetNamed(p *params) error {
	symbol := p.text("symbol")
	if p.err == nil && symbol != "" && !e.knows(symbol) {
		p.fail(refusef(codeInvalid, "symbol parameter %s is invalid.", symbol))
	}
	if p.err != nil {
		return p.err
	}
	return nil
}
