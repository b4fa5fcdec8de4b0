package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.maxQueued = 2 })
	first := api.Submit{Pipeline: "p", Cookie: "a"}
	w.submit(first)
	got := into[api.SubmitBatchResult](t, w.want(http.StatusOK, "POST", "/v1/runs/batch", api.SubmitBatch{Runs: []api.Submit{
		first, {Pipeline: "p", Cookie: "b"}, {Pipeline: "p", Cookie: "c"}, {Pipeline: "p", Cookie: "d", Queue: "other"},
	}}))
	refused := 0
	for i, cookie := range []string{"a", "b", "c", "d"} { // b and c may come in either order
		switch r := got.Results[i]; {
		case (cookie == "b" || cookie == "c") && r.Problem != nil && r.Problem.Code == api.CodeQueueFull:
			refused++
		case r.Run == nil || r.Run.Cookie != cookie:
			t.Errorf("%s of the batch = %+v, want it taken", cookie, r)
		}
	}
	if refused != 1 {
		t.Errorf("%d of the batch were refused, want the one that finds no room", refused)
	}
	full := w.call("POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "e"})
	if full.status != http.StatusTooManyRequests || full.problem() != api.CodeQueueFull || full.header.Get("Retry-After") != "5" {
		t.Errorf("submit to a full queue = %d %s, Retry-After %q; want 429 QUEUE_FULL and 5", full.status, full.body, full.header.Get("Retry-After"))
	}
	w.want(http.StatusOK, "POST", "/v1/runs", first)
	w.register("w", 1).take()
	w.submit(api.Submit{Pipeline: "p", Cookie: "e"})
}

// A submit that asks for one combination too many is refused, one that asks for a
// known one is not.
func TestTooManyCombinations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for call := range 10 {
		batch := api.SubmitBatch{}
		for i := range 1000 {
			cookie := fmt.Sprint("r", call, "-", i)
			batch.Runs = append(batch.Runs, api.Submit{Pipeline: "p", Cookie: cookie, Queue: cookie})
		}
		w.want(http.StatusOK, "POST", "/v1/runs/batch", batch)
	}
	full := w.refused(api.CodeTooManyCombos, "POST", "/v1/runs", api.Submit{Pipeline: "p", Queue: "another"})
	if full.status != http.StatusTooManyRequests || full.header.Get("Retry-After") != "5" || !strings.Contains(full.body, "ask for 10000") {
		t.Errorf("submit of one more = %d %s, Retry-After %q; want 429, how many there are, and 5", full.status, full.body, full.header.Get("Retry-After"))
	}
	w.submit(api.Submit{Pipeline: "p", Cookie: "known", Queue: "r0-1"})
}
