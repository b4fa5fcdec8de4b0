package api_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pullrun/pullrun/api"
)

// types are the hand-written types of the contract's objects. Objects that
// stand inside another are compared where they stand.
var types = map[string]any{
	"Beat": api.Beat{}, "Cancel": api.Cancel{}, "CancelRuns": api.CancelRuns{}, "CancelRunsResult": api.CancelRunsResult{}, "Cancelled": api.Cancelled{}, "Event": api.Event{}, "Events": api.Events{}, "EventList": api.EventList{}, "EventsTaken": api.EventsTaken{}, "LogLine": api.LogLine{}, "Progress": api.Progress{}, "TaskInHand": api.TaskInHand{}, "Heartbeat": api.Heartbeat{},
	"Held": api.Held{}, "Packet": api.Packet{}, "Packets": api.Packets{}, "PipelineInfo": api.PipelineInfo{}, "Poll": api.Poll{},
	"Attempt": api.Attempt{}, "AuditEntry": api.AuditEntry{}, "AuditList": api.AuditList{},
	"Requeue": api.Requeue{}, "RequeueResult": api.RequeueResult{}, "Requeued": api.Requeued{}, "Waiting": api.Waiting{}, "Concurrency": api.Concurrency{}, "Retry": api.Retry{}, "Problem": api.Error{}, "QueueList": api.QueueList{}, "QueueStats": api.QueueStats{}, "Register": api.Register{},
	"Registered": api.Registered{}, "Result": api.Result{}, "LateResult": api.LateResult{}, "Results": api.Results{}, "Run": api.Run{}, "RunEvent": api.RunEvent{},
	"RunList": api.RunList{}, "Submit": api.Submit{}, "SubmitBatch": api.SubmitBatch{}, "SubmitBatchResult": api.SubmitBatchResult{},
	"Verdict": api.Verdict{}, "Verdicts": api.Verdicts{}, "Worker": api.Worker{}, "WorkerList": api.WorkerList{},
	"NewToken": api.NewToken{}, "Token": api.Token{}, "IssuedToken": api.IssuedToken{}, "TokenList": api.TokenList{}, "NewCredential": api.NewCredential{}, "Enrolled": api.Enrolled{},
	// Not objects: what fields are made of.
	"AuditAction": api.AuditAction(""), "CancelState": api.CancelState(""), "RequeueState": api.RequeueState(""), "Outcome": api.Outcome(""), "WaitingReason": api.WaitingReason(""), "RetryCode": api.RetryCode(""), "ConcurrencyPolicy": api.ConcurrencyPolicy(""), "Cookie": "", "Delivery": api.Delivery(""), "Digest": "", "Holding": []api.Held{}, "Labels": map[string]string{}, "Name": "", "Pipeline": "",
	"Ping": api.Ping{}, "TokenID": "", "StoreID": "", "Scope": api.Scope(""), "TokenKind": api.TokenKind(""), "ResultCode": api.RC(""), "Signal": api.Signal(""), "Stop": api.Stop(""), "State": api.State(""),
}

func contract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTypesAreTheContracts(t *testing.T) {
	t.Parallel()
	schemas := contract(t).Components.Schemas
	for name := range types {
		if schemas[name] == nil {
			t.Errorf("%s: is not in the contract", name)
		}
	}
	consts := constants(t)
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		v, ok := types[name]
		if !ok {
			t.Errorf("%s: has no type", name)
			continue
		}
		compare(t, consts, name, schemas[name].Value, reflect.TypeOf(v))
	}
}

// compare reports where a type and its schema differ: kind, field names, which
// of them are always there, enums, and all of that further down.
func compare(t *testing.T, consts map[string][]string, path string, schema *openapi3.Schema, typ reflect.Type) {
	t.Helper()
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ == reflect.TypeFor[json.RawMessage]() {
		return // any JSON
	}
	kind := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer",
		reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}[typ.Kind()]
	if typ == reflect.TypeFor[time.Time]() {
		kind = "string"
		if schema.Format != "date-time" {
			t.Errorf("%s: has format %q, want date-time", path, schema.Format)
		}
	}
	if !schema.Type.Is(kind) {
		t.Errorf("%s: is %v in the contract, %s in Go", path, schema.Type.Slice(), kind)
		return
	}
	if want := consts[typ.Name()]; len(want)+len(schema.Enum) > 0 {
		var got []string
		for _, v := range schema.Enum {
			got = append(got, v.(string))
		}
		same(t, path+": enum", got, want)
	}
	switch {
	case kind == "array":
		compare(t, consts, path+"[]", schema.Items.Value, typ.Elem())
	case kind == "object" && typ.Kind() == reflect.Struct:
		var names, required []string
		for field := range fields(typ) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
			if options != "omitempty" && options != "omitzero" {
				required = append(required, name)
			}
			if p := schema.Properties[name]; p != nil {
				compare(t, consts, path+"."+name, p.Value, field.Type)
			}
		}
		same(t, path+": properties", slices.Collect(maps.Keys(schema.Properties)), names)
		same(t, path+": required", schema.Required, required)
	}
}

// fields are the exported fields of a struct that travel.
func fields(typ reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(typ) {
			if f.IsExported() && !f.Anonymous && f.Tag.Get("json") != "-" && !yield(f) {
				return
			}
		}
	}
}

func same(t *testing.T, what string, contract, ours []string) {
	t.Helper()
	contract, ours = slices.Sorted(slices.Values(contract)), slices.Sorted(slices.Values(ours))
	if !slices.Equal(contract, ours) {
		t.Errorf("%s\ncontract %v\n    ours %v", what, contract, ours)
	}
}

// constants are the text constants of this package's source, by type.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	consts := make(map[string][]string)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, named := spec.Type.(*ast.Ident)
			lit, text := spec.Values[0].(*ast.BasicLit)
			if named && text && lit.Kind == token.STRING {
				value, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				consts[typ.Name] = append(consts[typ.Name], value)
			}
			return true
		})
	}
	return consts
}

func TestEveryConstantIsKnown(t *testing.T) {
	t.Parallel()
	consts := constants(t)
	for _, s := range consts["State"] {
		if !api.State(s).Valid() {
			t.Errorf("State(%q).Valid() = false", s)
		}
	}
	for _, rc := range consts["RC"] {
		if err := (api.Result{Cookie: "c", Fence: 1, RC: api.RC(rc)}).Validate(); err != nil {
			t.Errorf("Result.Validate() with rc %s = %v", rc, err)
		}
	}
	for _, code := range consts["Code"] {
		if got := api.Code(code).Status(); (got == 500) != (api.Code(code) == api.CodeInternal) {
			t.Errorf("Code(%q).Status() = %d", code, got)
		}
	}
	for _, unknown := range []string{"", "PAUSED"} {
		if api.State(unknown).Valid() || api.State(unknown).Final() {
			t.Errorf("State(%q) is valid or final", unknown)
		}
	}
}

// TestLimitsAreTheContracts tries bodies at and beyond each limit on both the
// contract and the type's own check.
func TestLimitsAreTheContracts(t *testing.T) {
	t.Parallel()
	schemas := contract(t).Components.Schemas
	submit := func(change func(*api.Submit)) api.Submit {
		in := api.Submit{Pipeline: "p"}
		change(&in)
		return in
	}
	register := func(change func(*api.Register)) api.Register {
		in := api.Register{Name: "w", Capacity: 1}
		change(&in)
		return in
	}
	run := func(change func(*api.Packet)) api.Packet {
		in := api.Packet{PacketType: api.PacketRun, Cookie: "c", Fence: 1, Pipeline: "p", Attempt: 1}
		change(&in)
		return in
	}
	poll := api.Poll{Session: "s", Holding: []api.Held{}}
	held := func(n int) []api.Held {
		return slices.Repeat([]api.Held{{Cookie: "c", Fence: 1}}, n)
	}
	var rows []limit
	row := func(name string, ok bool, body checked) { rows = append(rows, limit{name, ok, body}) }

	for _, s := range []string{"a", "Z9._:-", a(api.MaxCookieBytes)} {
		row("cookie "+s, true, submit(func(in *api.Submit) { in.Cookie = s }))
	}
	for _, s := range []string{"a b", "é", "a/b", "a\n", a(api.MaxCookieBytes + 1)} {
		row("cookie "+s, false, submit(func(in *api.Submit) { in.Cookie = s }))
	}
	for _, s := range []string{"a", "0", "a._-", a(api.MaxNameBytes)} {
		row("name "+s, true, register(func(in *api.Register) { in.Name = s }))
		row("queue "+s, true, submit(func(in *api.Submit) { in.Queue = s }))
	}
	for _, s := range []string{"A", "-a", ".a", "_a", "a b", "a/b", "é", "a\n", a(api.MaxNameBytes + 1)} {
		row("name "+s, false, register(func(in *api.Register) { in.Name = s }))
		row("queue "+s, false, submit(func(in *api.Submit) { in.Queue = s }))
	}
	row("name of nothing", false, register(func(in *api.Register) { in.Name = "" }))
	for n, ok := range map[int]bool{0: false, 1: true, api.MaxPipelineBytes: true, api.MaxPipelineBytes + 1: false} {
		row(fmt.Sprintf("pipeline of %d bytes", n), ok, submit(func(in *api.Submit) { in.Pipeline = a(n) }))
	}
	for key, ok := range map[string]bool{"a": true, "a/b.c-d_e": true, "/a": false, a(63): true, a(64): false, "A": false, "-a": false, "": false} {
		row("label key "+key, ok, submit(func(in *api.Submit) { in.Labels = map[string]string{key: "v"} }))
		row("tag key "+key, ok, submit(func(in *api.Submit) { in.Tags = map[string]string{key: "v"} }))
	}
	for n, ok := range map[int]bool{0: true, api.MaxValueBytes: true, api.MaxValueBytes + 1: false} {
		row(fmt.Sprintf("label value of %d bytes", n), ok, submit(func(in *api.Submit) { in.Labels = map[string]string{"k": a(n)} }))
		row(fmt.Sprintf("reason of %d bytes", n), ok, api.Cancel{Reason: a(n)})
		row(fmt.Sprintf("version of %d bytes", n), ok, register(func(in *api.Register) { in.Version = a(n) }))
		row(fmt.Sprintf("traceparent of %d bytes", n), ok, register(func(in *api.Register) { in.Holding = []api.Held{{Cookie: "c", Fence: 1, TraceParent: a(n)}} }))
	}
	for digest, ok := range map[string]bool{"": true, "sha256:0f": true, "!~": true, a(255): true, a(256): false, "a b": false, "é": false, "a\n": false, "a\x00": false} {
		row("digest "+digest, ok, submit(func(in *api.Submit) { in.Digest = digest }))
		row("digest of a worker "+digest, ok, register(func(in *api.Register) { in.Pipelines = []api.PipelineInfo{{Name: "p", Digest: digest}} }))
	}
	for n, ok := range map[int]bool{api.MaxLabels: true, api.MaxLabels + 1: false} {
		row(fmt.Sprintf("%d labels", n), ok, submit(func(in *api.Submit) { in.Labels = labels(n) }))
	}
	for n, ok := range map[int]bool{-api.MaxPriority - 1: false, -api.MaxPriority: true, api.MaxPriority: true, api.MaxPriority + 1: false} {
		row(fmt.Sprintf("priority %d", n), ok, submit(func(in *api.Submit) { in.Priority = n }))
	}
	for n, ok := range map[int]bool{-1: false, 0: true, api.MaxAttempts: true, api.MaxAttempts + 1: false} {
		row(fmt.Sprintf("max_attempts %d", n), ok, submit(func(in *api.Submit) { in.MaxAttempts = n }))
	}
	for n, ok := range map[int64]bool{-1: false, 1: true} {
		row(fmt.Sprintf("queue_timeout_ms %d", n), ok, submit(func(in *api.Submit) { in.QueueTimeoutMS = n }))
		row(fmt.Sprintf("run_timeout_ms %d", n), ok, submit(func(in *api.Submit) { in.RunTimeoutMS = n }))
		row(fmt.Sprintf("timeout_ms %d", n), ok, run(func(in *api.Packet) { in.TimeoutMS = n }))
		row(fmt.Sprintf("hold_ms %d", n), ok, api.Poll{Session: "s", HoldMS: n, Holding: held(1)})
		row(fmt.Sprintf("fence %d", n), ok, run(func(in *api.Packet) { in.Fence = n }))
		row(fmt.Sprintf("result's fence %d", n), ok, api.Result{Cookie: "c", Fence: n, RC: api.RCOK})
		row(fmt.Sprintf("held fence %d", n), ok, api.Heartbeat{Session: "s", Holding: []api.Held{{Cookie: "c", Fence: n}}})
		row(fmt.Sprintf("event n %d", n), ok, api.Events{Session: "s", Events: []api.RunEvent{{Cookie: "c", Fence: 1, N: n, At: time.Unix(1e9, 0), Kind: "log"}}})
	}
	keyed := func(c api.Concurrency) api.Submit {
		return submit(func(in *api.Submit) { in.Concurrency = &c })
	}
	for key, ok := range map[string]bool{"": false, "a": true, "a b": false, a(api.MaxCookieBytes): true, a(api.MaxCookieBytes + 1): false} {
		row("concurrency key "+key, ok, keyed(api.Concurrency{Key: key}))
	}
	for n, ok := range map[int]bool{-1: false, 0: true, api.MaxConcurrency: true, api.MaxConcurrency + 1: false} {
		row(fmt.Sprintf("concurrency limit %d", n), ok, keyed(api.Concurrency{Key: "k", Limit: n}))
	}
	for policy, ok := range map[api.ConcurrencyPolicy]bool{api.ConcurrencyQueue: true, api.ConcurrencyReject: true, api.ConcurrencyCancelOlder: true, "wait": false} {
		row("concurrency policy "+string(policy), ok, keyed(api.Concurrency{Key: "k", Policy: policy}))
	}
	for n, ok := range map[int]bool{0: false, 1: true, api.MaxRetries: true, api.MaxRetries + 1: false} {
		row(fmt.Sprintf("retry max %d", n), ok, submit(func(in *api.Submit) { in.Retry = &api.Retry{Max: n} }))
	}
	for n, ok := range map[int64]bool{-1: false, 0: true, 1 << 40: true} {
		row(fmt.Sprintf("retry backoff_ms %d", n), ok, submit(func(in *api.Submit) { in.Retry = &api.Retry{Max: 1, BackoffMS: n} }))
		row(fmt.Sprintf("retry max_backoff_ms %d", n), ok, submit(func(in *api.Submit) { in.Retry = &api.Retry{Max: 1, MaxBackoffMS: n} }))
	}
	for code, ok := range map[api.RetryCode]bool{api.RetryTimeout: true, api.RetryBadPacket: true, "OK": false, "CANCELLED": false, "WORKER_WENT_AWAY": false} {
		row("retry on "+string(code), ok, submit(func(in *api.Submit) { in.Retry = &api.Retry{Max: 1, On: []api.RetryCode{code}} }))
	}
	for n, ok := range map[int]bool{12: true, 13: false} {
		row(fmt.Sprintf("retry on %d codes", n), ok, submit(func(in *api.Submit) {
			in.Retry = &api.Retry{Max: 1, On: slices.Repeat([]api.RetryCode{api.RetryTimeout}, n)}
		}))
	}
	for n, ok := range map[int]bool{0: false, 1: true, 4: true, 5: false} {
		row(fmt.Sprintf("requeue of %d states", n), ok, api.Requeue{States: slices.Repeat([]api.RequeueState{api.RequeueDead}, n)})
	}
	for s, ok := range map[api.RequeueState]bool{api.RequeueCancelled: true, "SUCCEEDED": false, "QUEUED": false} {
		row("requeue of "+string(s), ok, api.Requeue{States: []api.RequeueState{s}})
	}
	for n, ok := range map[int]bool{-1: false, 0: true, api.MaxListed: true, api.MaxListed + 1: false} {
		row(fmt.Sprintf("requeue limit %d", n), ok, api.Requeue{States: []api.RequeueState{api.RequeueDead}, Selection: api.Selection{Limit: n}})
	}
	for s, ok := range map[string]bool{"a.b": true, "A": false, a(api.MaxNameBytes + 1): false} {
		row("requeue of submitter "+s, ok, api.Requeue{States: []api.RequeueState{api.RequeueDead}, Selection: api.Selection{Submitter: s}})
	}
	for n, ok := range map[int]bool{0: false, 1: true, 4: true, 5: false} {
		row(fmt.Sprintf("cancel of %d states", n), ok, api.CancelRuns{States: slices.Repeat([]api.CancelState{api.CancelQueued}, n)})
	}
	for s, ok := range map[api.CancelState]bool{api.CancelScheduled: true, api.CancelOffered: true, api.CancelRunning: true, "FAILED": false} {
		row("cancel of "+string(s), ok, api.CancelRuns{States: []api.CancelState{s}})
	}
	for kind, ok := range map[string]bool{"log": true, "state": false, "states": true, "State": false} {
		row("event kind "+kind, ok, api.Events{Session: "s", Events: []api.RunEvent{{Cookie: "c", Fence: 1, N: 1, At: time.Unix(1e9, 0), Kind: kind}}})
	}
	for d, ok := range map[api.Delivery]bool{api.AtLeastOnce: true, api.AtMostOnce: true, "exactly_once": false} {
		row("delivery "+string(d), ok, submit(func(in *api.Submit) { in.Delivery = d }))
	}
	for v, ok := range map[string]bool{`{}`: true, `null`: true, `[]`: false, `0`: false, `"{}"`: false} {
		row("variables "+v, ok, submit(func(in *api.Submit) { in.Variables = raw(v) }))
	}
	for n, ok := range map[int]bool{0: false, 1: true, api.MaxCapacity: true, api.MaxCapacity + 1: false} {
		row(fmt.Sprintf("capacity %d", n), ok, register(func(in *api.Register) { in.Capacity = n }))
	}
	for n, ok := range map[int]bool{api.MaxQueues: true, api.MaxQueues + 1: false} {
		row(fmt.Sprintf("%d queues", n), ok, register(func(in *api.Register) { in.Queues = slices.Repeat([]string{"q"}, n) }))
	}
	for n, ok := range map[int]bool{api.MaxPipelines: true, api.MaxPipelines + 1: false} {
		row(fmt.Sprintf("%d pipelines", n), ok, register(func(in *api.Register) { in.Pipelines = slices.Repeat([]api.PipelineInfo{{Name: "p"}}, n) }))
	}
	for n, ok := range map[int]bool{0: true, api.MaxHolding: true, api.MaxHolding + 1: false} {
		row(fmt.Sprintf("%d held", n), ok, api.Heartbeat{Session: "s", Holding: held(n)})
	}
	for n, ok := range map[int]bool{0: false, 1: true, api.MaxSessionBytes: true, api.MaxSessionBytes + 1: false} {
		poll.Session = a(n)
		row(fmt.Sprintf("session of %d bytes", n), ok, poll)
	}
	for n, ok := range map[int]bool{0: false, 1: true, api.MaxBatch: true, api.MaxBatch + 1: false} {
		row(fmt.Sprintf("%d submits", n), ok, api.SubmitBatch{Runs: slices.Repeat([]api.Submit{{Pipeline: "p"}}, n)})
		row(fmt.Sprintf("%d results", n), ok, api.Results{Session: "s", Results: slices.Repeat([]api.Result{{Cookie: "c", Fence: 1, RC: api.RCOK}}, n)})
	}
	for n, ok := range map[int]bool{0: true, api.MaxEventsInOne: true, api.MaxEventsInOne + 1: false} {
		row(fmt.Sprintf("%d events", n), ok, api.Events{Session: "s", Events: slices.Repeat([]api.RunEvent{{Cookie: "c", Fence: 1, N: 1, At: time.Unix(1e9, 0), Kind: "log"}}, n)})
	}
	token := func(change func(*api.NewToken)) api.NewToken {
		in := api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeWork}}
		change(&in)
		return in
	}
	for n, ok := range map[int64]bool{-1: false, 0: true, 1: true} {
		row(fmt.Sprintf("ttl_ms %d", n), ok, token(func(in *api.NewToken) { in.TTLMS = n }))
	}
	for n, ok := range map[int]bool{api.MaxQueues: true, api.MaxQueues + 1: false} {
		row(fmt.Sprintf("%d queues", n), ok, token(func(in *api.NewToken) { in.Queues = slices.Repeat([]string{"q"}, n) }))
	}
	for s, ok := range map[api.TokenKind]bool{api.TokenPlain: true, "root": false} {
		row("kind "+string(s), ok, token(func(in *api.NewToken) { in.Kind = s }))
	}
	for s, ok := range map[api.Scope]bool{api.ScopeWork: true, "root": false} {
		row("scope "+string(s), ok, token(func(in *api.NewToken) { in.Scopes = []api.Scope{s} }))
	}
	credential := api.Credential("w", api.NewTokenText(api.TokenWorker))
	row("credential", true, credential)
	for _, change := range []func(*api.NewCredential){
		func(in *api.NewCredential) { in.ID = "" },
		func(in *api.NewCredential) { in.ID += "a" },
		func(in *api.NewCredential) { in.Digest = in.Digest[1:] },
		func(in *api.NewCredential) { in.Digest = strings.ToUpper(a(64)) },
		func(in *api.NewCredential) { in.Worker = "W" },
	} {
		in := credential
		change(&in)
		row(fmt.Sprintf("credential %+v", in), false, in)
	}
	for _, r := range rows {
		r.try(t, schemas)
	}
}

type checked interface{ Validate() error }

type limit struct {
	name string
	ok   bool
	body checked
}

func (l limit) try(t *testing.T, schemas openapi3.Schemas) {
	t.Helper()
	body, err := json.Marshal(l.body)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatal(err)
	}
	name := reflect.TypeOf(l.body).Name()
	if err := schemas[name].Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); (err == nil) != l.ok {
		t.Errorf("%s of %s: accepted by the contract: %t, want %t", l.name, name, err == nil, l.ok)
	}
	if err := l.body.Validate(); (err == nil) != l.ok {
		t.Errorf("%s of %s: Validate() = %v, want accepted: %t", l.name, name, err, l.ok)
	}
}

func TestLimitsOfQueriesAreTheContracts(t *testing.T) {
	t.Parallel()
	list := contract(t).Paths.Find("/v1/runs").Get
	if got := list.Parameters.GetByInAndName("query", "limit").Schema.Value.Max; got == nil || *got != api.MaxListed {
		t.Errorf("the contract lists at most %v runs, want %d", got, api.MaxListed)
	}
	prefer := contract(t).Components.Parameters["Prefer"].Value.Description
	if want := fmt.Sprintf("at most %d,", api.MaxWaitSeconds); !strings.Contains(prefer, want) {
		t.Errorf("the contract says of Prefer %q, want %q in it", prefer, want)
	}
	prefer = contract(t).Paths.Find("/v1/ping").Get.Parameters.GetByInAndName("header", "Prefer").Description
	if want := fmt.Sprintf("at most %d ", api.MaxPingSeconds); !strings.Contains(prefer, want) {
		t.Errorf("the contract says of Prefer %q, want %q in it", prefer, want)
	}
}

// TestWhatIsRequiredIsMissed leaves out each member that the contract requires of
// what is sent to a server, which must not be taken for a zero.
func TestWhatIsRequiredIsMissed(t *testing.T) {
	t.Parallel()
	schemas := contract(t).Components.Schemas
	for schema, body := range map[string]checked{
		"Submit":        &api.Submit{Pipeline: "p", Concurrency: &api.Concurrency{Key: "k"}, Retry: &api.Retry{Max: 1}},
		"SubmitBatch":   &api.SubmitBatch{Runs: []api.Submit{{Pipeline: "p"}}},
		"CancelRuns":    &api.CancelRuns{States: []api.CancelState{api.CancelQueued}},
		"Requeue":       &api.Requeue{States: []api.RequeueState{api.RequeueDead}},
		"Register":      &api.Register{Name: "w", Capacity: 1, Pipelines: []api.PipelineInfo{{Name: "p"}}, Holding: []api.Held{{Cookie: "c", Fence: 1}}},
		"Poll":          &api.Poll{Session: "s", Holding: []api.Held{{Cookie: "c", Fence: 1}}},
		"Heartbeat":     &api.Heartbeat{Session: "s", Holding: []api.Held{{Cookie: "c", Fence: 1}}},
		"Results":       &api.Results{Session: "s", Results: []api.Result{{Cookie: "c", Fence: 1, RC: api.RCOK}}},
		"Result":        &api.Result{Cookie: "c", Fence: 1, RC: api.RCOK},
		"Events":        &api.Events{Session: "s", Events: []api.RunEvent{{Cookie: "c", Fence: 1, N: 1, At: time.Unix(1e9, 0), Kind: "k"}}},
		"NewToken":      &api.NewToken{Name: "n", Scopes: []api.Scope{api.ScopeSubmit}},
		"NewCredential": &api.NewCredential{Worker: "w", ID: "abcdefghij", Digest: strings.Repeat("0", 64)},
	} {
		raw, err := api.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var whole any
		if err := json.Unmarshal(raw, &whole); err != nil {
			t.Fatal(err)
		}
		if err := body.Validate(); err != nil {
			t.Errorf("%s: %s: Validate() = %v", schema, raw, err)
		}
		leaveOut(schemas[schema].Value, whole, schema, func(path string) {
			less, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			got := reflect.New(reflect.TypeOf(body).Elem())
			err = api.Unmarshal(less, got.Interface())
			if err == nil {
				err = got.Interface().(checked).Validate()
			}
			if err == nil {
				t.Errorf("%s: may be left out, as in %s", path, less)
			}
		})
	}
}

// leaveOut calls without for each required member of v, and of all within it, while
// v is without that.
func leaveOut(schema *openapi3.Schema, v any, path string, without func(path string)) {
	switch v := v.(type) {
	case []any:
		if strings.HasSuffix(path, ".results") || strings.HasSuffix(path, ".runs") {
			return // judged one by one, not with their batch
		}
		for _, entry := range v {
			leaveOut(schema.Items.Value, entry, path+"[]", without)
		}
	case map[string]any:
		for _, name := range schema.Required {
			value := v[name]
			delete(v, name)
			without(path + "." + name)
			v[name] = value
		}
		for name, value := range v {
			if p := schema.Properties[name]; p != nil {
				leaveOut(p.Value, value, path+"."+name, without)
			}
		}
	}
}
