package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"interlock/internal/view"
)

// register puts every operation on the mux, and their description with them.
func (s *server) register() {
	api := humago.New(s.mux, humaConfig())
	huma.Register(api, operation("execute", http.MethodPost, "/api/trading/execute", "Execute a proposal, once or not at all",
		describe(`200 when this request won the claim and the execution has ended, 202 when it is still open after ten seconds: read the proposal.
Every other status says that this request placed nothing, except 503: unless it was claimed before notAfter, it never will.`),
		also(http.StatusAccepted), refuses(http.StatusConflict, http.StatusGone, http.StatusNotFound, http.StatusUnprocessableEntity)), s.execute)
	huma.Register(api, operation("createProposal", http.MethodPost, "/api/trading/proposals", "Store a proposal",
		describe("201 when it is new; 200 with what has become of it when the same body was stored before; 409 when the ID belongs to another."),
		success(http.StatusCreated), also(http.StatusOK), refuses(http.StatusConflict)), s.create)
	huma.Register(api, operation("listProposals", http.MethodGet, "/api/trading/proposals", "List your proposals, the newest first"), s.list)
	huma.Register(api, operation("getProposal", http.MethodGet, "/api/trading/proposals/{id}", "Read a proposal and what has become of it",
		refuses(http.StatusNotFound)), s.get)
	huma.Register(api, operation("overrideProposal", http.MethodPost, "/api/trading/proposals/{id}/override", "Permit one execution in spite of cooldown or anti-flip",
		describe("It holds under this policy and around this price only, and is used once. Above the policy's fourEyes a second person has to confirm it."),
		refuses(http.StatusConflict, http.StatusGone, http.StatusNotFound)), s.override)
	huma.Register(api, operation("listOverrides", http.MethodGet, "/api/trading/proposals/{id}/overrides", "List a proposal's overrides and what became of them",
		refuses(http.StatusNotFound)), s.listOverrides)
	huma.Register(api, operation("confirmOverride", http.MethodPost, "/api/trading/proposals/{id}/overrides/{overrideId}/confirm", "Stand behind another person's override",
		refuses(http.StatusConflict, http.StatusNotFound)), s.confirm)
	huma.Register(api, operation("cancelProposal", http.MethodPost, "/api/trading/proposals/{id}/cancel", "Give a proposal up",
		describe("200 when it is CANCELLED. 202 after the claim: no further attempt begins, an open order is cancelled, what was filled stays filled."),
		also(http.StatusAccepted), refuses(http.StatusConflict, http.StatusGone, http.StatusNotFound)), s.cancel)
	huma.Register(api, operation("getPolicy", http.MethodGet, "/api/trading/policy", "Read your policy in force", refuses(http.StatusNotFound, http.StatusConflict)), s.getPolicy)
	huma.Register(api, operation("putPolicy", http.MethodPut, "/api/trading/policy", "Set your policy for the next execution",
		describe("Every field is required. An equal policy keeps its version."), unchecked), s.putPolicy)
	s.registerScans(api)
	s.registerEvents(api)
	s.registerOperator(api)
	huma.Register(api, operation("live", http.MethodGet, livePath, "Whether the process answers", public), s.live)
	huma.Register(api, operation("ready", http.MethodGet, readyPath, "Whether database and Temporal answer", public), s.ready)
	s.access.need(api.OpenAPI())
	s.publish(api.OpenAPI())
}

// scansPath is where the scan jobs are.
const scansPath = "/api/trading/scans"

// registerScans puts the operations on scan jobs on the mux.
func (s *server) registerScans(api huma.API) {
	const path, one = scansPath, scansPath + "/{id}"
	huma.Register(api, operation("listScanJobs", http.MethodGet, path, "List your scan jobs"), s.listScans)
	huma.Register(api, operation("createScanJob", http.MethodPost, path, "Store a scan job",
		describe(`201 when it is new; 200 when the same was stored before; 409 when the ID is or was another's. Workers schedule what is stored, if
Temporal does not answer now.`), success(http.StatusCreated), also(http.StatusOK), refuses(http.StatusConflict)), s.createScan)
	huma.Register(api, operation("getScanJob", http.MethodGet, one, "Read a scan job and its latest runs", refuses(http.StatusNotFound)), s.getScan)
	huma.Register(api, operation("pauseScanJob", http.MethodPost, one+"/pause", "Pause a scan job",
		describe("It holds once it is answered, even with Temporal down. A scan that runs ends by itself."), refuses(http.StatusNotFound)), s.pauseScan)
	huma.Register(api, operation("resumeScanJob", http.MethodPost, one+"/resume", "Let a scan job go on", refuses(http.StatusNotFound)), s.resumeScan)
	huma.Register(api, operation("triggerScanJob", http.MethodPost, one+"/trigger", "Scan now, unless a scan of the job runs",
		success(http.StatusAccepted), refuses(http.StatusNotFound, http.StatusConflict)), s.triggerScan)
	huma.Register(api, operation("deleteScanJob", http.MethodDelete, one, "Delete a scan job; its records stay",
		describe("It holds once it is answered, even with Temporal down. An ID is never given twice."), refuses(http.StatusNotFound)), s.deleteScan)
}

func humaConfig() huma.Config {
	cfg := huma.DefaultConfig("Interlock", "1")
	cfg.Info.Description = "Executes trade proposals once or not at all. Amounts and prices are decimals in strings; times are RFC 3339."
	// No page from elsewhere, no $schema in answers, and publish serves the
	// description.
	cfg.DocsPath, cfg.SchemasPath, cfg.OpenAPIPath, cfg.CreateHooks = "", "", "", nil
	cfg.RejectUnknownQueryParameters = true
	strict := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshalStrict}
	cfg.Formats = map[string]huma.Format{"application/json": strict, "json": strict}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "From starter token create, or a JWT of the configured issuer; it speaks for one user on one account, in one role."},
	}
	return cfg
}

type option func(*huma.Operation)

func operation(id, method, path, summary string, options ...option) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		MaxBodyBytes: maxBody + 1, // huma refuses what reaches the limit
		Security:     []map[string][]string{{"token": {}}},
		Errors:       []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}
	takes(leastRole(method))(&op)
	if method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	for _, set := range options {
		set(&op)
	}
	return op
}

func leastRole(method string) view.Role {
	if method == http.MethodGet {
		return view.Viewer
	}
	return view.Trader
}

func describe(text string) option { return func(op *huma.Operation) { op.Description = text } }

func success(status int) option { return func(op *huma.Operation) { op.DefaultStatus = status } }

func refuses(statuses ...int) option {
	return func(op *huma.Operation) { op.Errors = append(op.Errors, statuses...) }
}

// also names a second success with the same body.
func also(status int) option {
	return func(op *huma.Operation) {
		if op.Metadata == nil {
			op.Metadata = map[string]any{}
		}
		op.Metadata["also"] = status
	}
}

// public operations need no token.
func public(op *huma.Operation) {
	op.Security, op.Extensions, op.Errors = nil, nil, []int{http.StatusBadRequest, http.StatusServiceUnavailable}
}

// unchecked leaves the body to the handler, which knows better.
func unchecked(op *huma.Operation) { op.SkipValidateBody = true }

// publish serves the description, made once.
func (s *server) publish(description *huma.OpenAPI) {
	for _, path := range description.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Delete} {
			if op != nil {
				tidy(op)
			}
		}
	}
	leaveOpen(description.Components.Schemas.Map())
	refine(description)
	text, err := json.MarshalIndent(description, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("the API cannot be described: %v", err)) // it was compiled that way
	}
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the client may be gone
	})
}

// tidy corrects what huma says of statuses: it refuses with 400 here,
// and 422 is the exchange's.
func tidy(op *huma.Operation) {
	if op.OperationID != "execute" {
		delete(op.Responses, fmt.Sprint(http.StatusUnprocessableEntity))
	}
	status, ok := op.Metadata["also"].(int)
	if !ok {
		return
	}
	usual := op.Responses[fmt.Sprint(op.DefaultStatus)]
	op.Responses[fmt.Sprint(status)] = &huma.Response{Description: http.StatusText(status), Content: usual.Content}
}
