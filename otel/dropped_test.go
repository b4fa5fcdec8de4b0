package otel_test

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// dropped are the spans that a scrape says were dropped for the reason.
func dropped(t *testing.T, m *otel.Metrics, reason string) int {
	t.Helper()
	found := regexp.MustCompile(`pullrun_export_dropped_total\{pullrun_drop_reason="` + reason + `"\} (\d+)`).FindStringSubmatch(scrape(t, m))
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1])
	return n
}

// Of spans that end faster than a collector takes them each is exported or
// counted, and none is neither.
func TestDroppedSpansAreCounted(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Hang()
	m := measuring(t)
	env := towards(r)
	env["OTEL_BSP_MAX_QUEUE_SIZE"], env["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] = "20", "5"
	shutdown := setup(t, otel.Options{}, env)
	const spans = 500
	for range spans {
		_, s := tracer().Start(t.Context(), "s")
		s.End()
	}
	r.Accept()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, lost := len(r.Spans()), dropped(t, m, "queue_full")
	if lost < spans-100 || got+lost != spans {
		t.Errorf("%d spans were exported and %d counted as dropped, want %d together, most of them dropped", got, lost, spans)
	}
}

// So are those that a collector does not take.
func TestRefusedSpansAreCounted(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Refuse(http.StatusBadRequest)
	m := measuring(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	for range 7 {
		_, s := tracer().Start(t.Context(), "s")
		s.End()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_ = shutdown(ctx) // the spans may have been refused before
	if n := dropped(t, m, "not_taken"); n != 7 {
		t.Errorf("%d spans are counted as not taken, want 7", n)
	}
}
