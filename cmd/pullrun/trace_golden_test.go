package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/otel/oteltest"
)

const (
	goldenFile = "testdata/spans.golden"
	tracingDoc = "../../docs/tracing.md"
)

// A shape is what all spans of one kind have in common, whatever run they are of.
type shape struct {
	attributes map[string]bool
	events     map[string]map[string]bool
	links      map[string]bool
	errors     bool
}

// variable are the parts of names that stand for a pipeline, a queue and so on.
var variable = []struct{ prefix, name string }{
	{"submit ", "PIPELINE"}, {"RUN ", "PIPELINE"}, {"send ", "QUEUE"}, {"queue ", "QUEUE"}, {"wait ", "QUEUE"}, {"lease ", "QUEUE"},
	{"process ", "QUEUE"}, {"settle ", "QUEUE"}, {"task ", "TASK"}, {"chip ", "CHIP"},
}

func general(name string) string {
	for _, v := range variable {
		if strings.HasPrefix(name, v.prefix) {
			return v.prefix + v.name
		}
	}
	return name
}

// shapes are what spans have in common by their names.
func shapes(all []oteltest.Span) map[string]*shape {
	names := make(map[string]string)
	for _, s := range all {
		names[s.SpanID] = general(s.Name)
	}
	out := make(map[string]*shape)
	for _, s := range all {
		key := fmt.Sprintf("%s (%s, %s)", general(s.Name), s.Kind, s.Service)
		of := out[key]
		if of == nil {
			of = &shape{attributes: make(map[string]bool), events: make(map[string]map[string]bool), links: make(map[string]bool)}
			out[key] = of
		}
		for key := range s.Attributes {
			of.attributes[key] = true
		}
		for _, e := range s.Events {
			if of.events[e.Name] == nil {
				of.events[e.Name] = make(map[string]bool)
			}
			for key := range e.Attributes {
				of.events[e.Name][key] = true
			}
		}
		for _, l := range s.Links {
			of.links[names[l.SpanID]] = true
		}
		of.errors = of.errors || s.Status == "error"
	}
	return out
}

func golden(all []oteltest.Span) string {
	var b strings.Builder
	of := shapes(all)
	for _, name := range slices.Sorted(maps.Keys(of)) {
		s := of[name]
		b.WriteString(name)
		if s.errors {
			b.WriteString(" or error")
		}
		b.WriteByte('\n')
		for _, key := range slices.Sorted(maps.Keys(s.attributes)) {
			fmt.Fprintf(&b, "  %s\n", key)
		}
		for _, event := range slices.Sorted(maps.Keys(s.events)) {
			fmt.Fprintf(&b, "  event %s: %s\n", event, strings.Join(slices.Sorted(maps.Keys(s.events[event])), ", "))
		}
		for _, to := range slices.Sorted(maps.Keys(s.links)) {
			fmt.Fprintf(&b, "  link to %s\n", to)
		}
	}
	return b.String()
}

// Names, kinds and attributes are what dashboards and alerts are made of: they
// change on purpose, with -update, or not at all. docs/tracing.md explains them.
func checkShapes(t *testing.T, all []oteltest.Span) {
	t.Helper()
	got := golden(all)
	compare(t, goldenFile, got)
	doc, err := os.ReadFile(tracingDoc)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, tracingDoc, between(t, string(doc), attributeTable(t, all)))
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update writes it:\n%s", file, diff)
	}
}

// between puts the text where the document has the old one.
func between(t *testing.T, doc, text string) string {
	t.Helper()
	place := regexp.MustCompile(`(?s)(<!-- the table of attributes, written by go test ./cmd/pullrun -run TestTraces -update -->\n).*(<!-- end of the table -->)`)
	if !place.MatchString(doc) {
		t.Fatalf("%s has no place for the table of attributes", tracingDoc)
	}
	return place.ReplaceAllString(doc, "${1}"+strings.ReplaceAll(text, "$", "$$")+"${2}")
}

// attributeTable explains every attribute that any span has.
func attributeTable(t *testing.T, all []oteltest.Span) string {
	t.Helper()
	on := make(map[string]map[string]bool) // the spans, by attribute
	for name, s := range shapes(all) {
		name, _, _ = strings.Cut(name, " (")
		verb, _, _ := strings.Cut(name, " ")
		for key := range s.attributes {
			if on[key] == nil {
				on[key] = make(map[string]bool)
			}
			on[key][verb] = true
		}
	}
	var b strings.Builder
	b.WriteString("| attribute | on | what it says |\n| --- | --- | --- |\n")
	for _, key := range slices.Sorted(maps.Keys(on)) {
		text, known := meanings[key]
		if !known {
			t.Errorf("nobody says what %s means, which is on %v", key, slices.Sorted(maps.Keys(on[key])))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, strings.Join(slices.Sorted(maps.Keys(on[key])), ", "), text)
	}
	for key := range meanings {
		if on[key] == nil {
			t.Errorf("%s is explained, but no span has it", key)
		}
	}
	return b.String()
}

// meanings say what attributes mean, for docs/tracing.md.
var meanings = map[string]string{
	"cicd.pipeline.action.name":     "`RUN`.",
	"cicd.pipeline.name":            "The pipeline.",
	"cicd.pipeline.result":          "How it ended: `success`, `failure` (the pipeline failed), `error` (what runs it did), `timeout` or `cancellation`. An attempt that was handed back is a `cancellation` too.",
	"cicd.pipeline.run.id":          "The run's cookie.",
	"cicd.pipeline.task.name":       "The task's name in the pipeline, or its kind where it has none.",
	"cicd.pipeline.task.run.id":     "Where the task stands: its pipeline, and its number in it.",
	"cicd.pipeline.task.run.result": "How the task ended, in the same words.",
	"cicd.worker.id":                "The worker's name.",
	"client.address":                "Who made the request.",
	"error.type":                    "Only on errors: the result's code, the class of a task's error, a status of HTTP, the Go type of the error of a request that had no answer, such as `*net.OpError`, `lease_expired` (the worker was lost) or `lease_abandoned` (it did not answer in time).",
	"http.request.body.size":        "In bytes.",
	"http.request.method":           "The method.",
	"http.request.resend_count":     "How many requests there were before this one for the same call.",
	"http.response.body.size":       "In bytes.",
	"http.response.status_code":     "The status.",
	"http.route":                    "The call, as `openapi.yaml` has it.",
	"messaging.destination.name":    "The queue.",
	"messaging.message.body.size":   "Bytes of the run's variables.",
	"messaging.message.id":          "The run's cookie.",
	"messaging.operation.name":      "`send`, `process` or `settle`.",
	"messaging.operation.type":      "The same.",
	"messaging.system":              "`pullrun`.",
	"network.peer.address":          "The other end of the connection.",
	"network.peer.port":             "Its port.",
	"network.protocol.version":      "Of HTTP.",
	"pullrun.attempt":               "Which attempt it is, from 1.",
	"pullrun.attempts":              "How many attempts the run has had.",
	"pullrun.cancel.by":             "The name of the token that asked to cancel the run.",
	"pullrun.cancel.reason":         "Why, as it was said.",
	"pullrun.chip.kind":             "The chip.",
	"pullrun.last.task":             "Where the run was when its worker, which was lost, last said so: the task with those around it, and the turns of loops.",
	"pullrun.last.time":             "When that was, by the worker's clock.",
	"pullrun.lease.end":             "`settled` (the server took a result), `released` (the worker handed the run back), `expired` (the worker was lost) or `abandoned` (it did not answer in time).",
	"pullrun.loop.iterations":       "How often a loop went round.",
	"pullrun.post.attempts":         "How many requests it took to bring the result home.",
	"pullrun.spans.dropped":         "On a loop, how many of its turns have no spans; on `process`, how many tasks, chips and requests have none.",
	"pullrun.submitter":             "The name of the token that the run was submitted with.",
	"pullrun.wait.reason":           "`not_before` (its time), `retry_backoff` (after an attempt) or `concurrency_limit` (a slot of its key).",
	"pullrun.synthetic":             "The server wrote the span in the place of a worker that was lost.",
	"pullrun.task.kind":             "`chip`, `dispatch`, `code` and so on.",
	"server.address":                "Where the request went.",
	"server.port":                   "Its port.",
	"url.full":                      "With the values of its query, and any name and password, left out.",
	"url.path":                      "The path.",
	"url.scheme":                    "`http` or `https`.",
	"user_agent.original":           "What the caller says it is.",
}
