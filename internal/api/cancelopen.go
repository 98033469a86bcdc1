package api

import (
	"context"
	"net/http"
	"time"

	"interlock/internal/view"
)

// CancelOpenView is what became of an account's open orders since a halt asked
// to cancel them.
type CancelOpenView struct {
	Actor       string               `json:"actor"`
	Reason      string               `json:"reason"`
	RequestedAt time.Time            `json:"requestedAt"`
	State       string               `json:"state" enum:"waiting,under way,complete,given up" doc:"Waiting: for an orders worker"`
	CompletedAt *time.Time           `json:"completedAt,omitempty"`
	GivenUpBy   string               `json:"givenUpBy,omitempty"`
	Orders      []CancelledView      `json:"orders" nullable:"false"`
	InTheWay    []CancelObstacleView `json:"inTheWay" nullable:"false" doc:"Of being complete, as the last look found it"`
}

// CancelledView is one order that was to be cancelled.
type CancelledView struct {
	Market       string `json:"market"`
	OrderID      string `json:"orderId"`
	ProposalID   string `json:"proposalId,omitempty"`
	Result       string `json:"result" enum:"open,cancelled,over,foreign" doc:"Foreign: placed by another program, and left alone"`
	Status       string `json:"status,omitempty" doc:"The exchange's"`
	FilledAmount string `json:"filledAmount" doc:"In the base asset"`
	Detail       string `json:"detail,omitempty"`
}

// CancelObstacleView is something that keeps it from being complete.
type CancelObstacleView struct {
	ProposalID string     `json:"proposalId,omitempty"`
	OrderID    string     `json:"orderId,omitempty"`
	Until      *time.Time `json:"until,omitempty" doc:"Clock of the exchange; absent: nobody can tell"`
	Why        string     `json:"why"`
}

type cancelOpenOutput struct{ Body CancelOpenView }

func (s *server) cancelOpen(ctx context.Context, _ *struct{}) (*cancelOpenOutput, error) {
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	account := whoAsks(ctx).AccountID
	list, err := s.Store.CancelOpens(bound, account)
	switch {
	case err != nil:
		return nil, s.databaseFault("cancel-opens not read", err)
	case len(list) == 0:
		return nil, problem(http.StatusNotFound, NotFound, "no halt of account %s has asked to cancel its open orders", account)
	}
	return &cancelOpenOutput{Body: shownCancelOpen(list[0])}, nil
}

func shownCancelOpen(c view.CancelOpen) CancelOpenView {
	v := CancelOpenView{
		Actor: c.Actor, Reason: c.Reason, RequestedAt: c.RequestedAt.UTC(), State: "under way", CompletedAt: c.CompletedAt, GivenUpBy: c.GivenUpBy,
		Orders: []CancelledView{}, InTheWay: []CancelObstacleView{},
	}
	switch {
	case c.CompletedAt != nil:
		v.State = "complete"
	case c.GivenUpAt != nil:
		v.State = "given up"
	case c.Worker == "":
		v.State = "waiting"
	}
	for _, o := range c.Orders {
		v.Orders = append(v.Orders, CancelledView{
			Market: string(o.Market), OrderID: o.OrderID, ProposalID: o.ProposalID, Result: string(o.Result), Status: string(o.Status),
			FilledAmount: plain(&o.FilledAmount), Detail: o.Detail,
		})
	}
	for _, o := range c.Obstacles {
		row := CancelObstacleView{ProposalID: o.ProposalID, OrderID: o.OrderID, Why: o.Why}
		if !o.Until.IsZero() {
			row.Until = &o.Until
		}
		v.InTheWay = append(v.InTheWay, row)
	}
	return v
}
