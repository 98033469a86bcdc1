package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"interlock/internal/scan"
)

// models is what the model server said.
type models struct {
	names []string
	err   error
}

func (s Subject) listModels(ctx context.Context) (m models) {
	if s.Model != nil && s.Model.Named {
		m.names, m.err = s.Model.Models(ctx)
	}
	return m
}

const nameModel = "set OPENAI_BASE_URL, OPENAI_API_KEY_FILE or both"

func (s Subject) judgeModel(r *report, m models, db records) {
	const check = "model"
	busy := slices.DeleteFunc(slices.Clone(db.jobs), func(j scan.Job) bool { return j.Paused })
	switch {
	case s.Model == nil:
	case !s.Model.Named && len(busy) > 0:
		r.add(check, Fail, fmt.Sprintf("no model server is named, and %d jobs would ask one", len(busy)), nameModel)
	case !s.Model.Named:
		r.add(check, Warn, "no model server is named, and no job asks one", nameModel)
	case errors.Is(m.err, ErrKey):
		r.add(check, Fail, m.err.Error(), "correct OPENAI_API_KEY or its file, or the server's own settings for it")
	case errors.Is(m.err, ErrNoList):
		r.add(check, Unknown, m.err.Error()+": it answers, and whether it can complete is not asked, for that may cost money", `run "starter scan trigger JOB" and look at "starter scan show JOB"`)
	case m.err != nil:
		r.add(check, Fail, "the model server does not answer: "+m.err.Error(), "start it, or correct OPENAI_BASE_URL")
	default:
		judgeNames(r, m.names, busy)
	}
}

func judgeNames(r *report, names []string, busy []scan.Job) {
	sound := true
	for _, j := range busy {
		if !slices.Contains(names, j.Model) {
			sound = false
			r.add("model", Warn, fmt.Sprintf("job %s asks for %s, which the server does not list", j.ID, j.Model), "correct the job's --model, or the server")
		}
	}
	if sound {
		r.okf("model", "the server answers and lists %d models; a completion is not asked, for it may cost money", len(names))
	}
}
