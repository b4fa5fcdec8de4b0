package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// A lease of another database is none of this one's, though its cookie and its
// fence are.
func TestLeasesOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk, in := w.registered("w", 1)
	if in.Store == "" {
		t.Fatal("the server does not say which database it has")
	}
	w.submit(api.Submit{Cookie: "c"})
	ours := held(wk.poll()[0])
	theirs := ours
	theirs.Store = "theirs"
	result := ok(theirs)
	result.Store = theirs.Store
	if got := wk.post(result); got.Verdict != api.VerdictRejected || got.Detail != "it is of a run of the store theirs, and this server has "+in.Store {
		t.Errorf("the result of another database's run: %+v, want rejected", got)
	}
	w.state(api.StateOffered, "c")
	if got := wk.poll(theirs); len(got) != 1 || held(got[0]) != ours {
		t.Errorf("a poll that names another database's run gets %+v, want the offer again", got)
	}
	wk.poll(ours)
	w.state(api.StateRunning, "c")
	wk.log(theirs, 1, "theirs")
	wk.log(ours, 1, "ours")
	if got := into[api.EventList](t, w.want(http.StatusOK, "GET", "/v1/runs/c/events", nil, "Accept", "application/json")).Events; len(got) != 1 || string(got[0].Data) != `"ours"` {
		t.Errorf("the run's history is %+v, want its own line", got)
	}
	wk, in = w.registered("w", 1, func(r *api.Register) { r.Holding = []api.Held{theirs} })
	if len(in.Lost) != 1 || in.Lost[0] != theirs {
		t.Errorf("lost are %+v, want the other database's", in.Lost)
	}
	again := wk.take()
	if again.Cookie != "c" || again.Fence == ours.Fence {
		t.Errorf("got %+v, want the run with a new fence, for nobody held it", again)
	}
	result = ok(again)
	result.Store = in.Store
	if got := wk.post(result); got.Verdict != api.VerdictAccepted {
		t.Errorf("the result: %+v, want accepted", got)
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers", api.Register{Name: "w", Capacity: 1, Holding: []api.Held{{Cookie: "c", Fence: 1, Store: strings.Repeat("x", 256)}}})
}
