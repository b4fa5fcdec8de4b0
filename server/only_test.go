package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

func TestAPollForOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 4)
	ask := func(hold time.Duration, cookie string, most int, held ...api.Held) answer {
		in := wk.asks(hold, held)
		in.Run, in.MaxRuns = cookie, &most
		return w.call("POST", wk.path("/poll"), in)
	}
	w.submit(api.Submit{Pipeline: "p", Cookie: "other"})
	due := time.Now().Add(2 * time.Second)
	w.submit(api.Submit{Pipeline: "p", Cookie: "mine", Queue: "elsewhere", NotBefore: &due})

	got := packets(t, ask(25*time.Second, "mine", 1)) // it is woken when the run is queued
	if len(got) != 1 || got[0].Cookie != "mine" {
		t.Fatalf("poll = %+v, want the run mine", got)
	}
	held := api.Held{Cookie: "mine", Fence: got[0].Fence}
	if got := packets(t, ask(0, "mine", 0, held)); len(got) != 0 {
		t.Errorf("poll = %+v, want nothing: it has the run", got)
	}
	wk.finish(held)
	if a := ask(0, "mine", 1); a.status != http.StatusConflict || a.problem() != api.CodeRunEnded {
		t.Errorf("poll = %d %s, want 409 RUN_ENDED", a.status, a.body)
	}
	if a := ask(0, "strange", 1); a.status != http.StatusNotFound || a.problem() != api.CodeCookieNotFound {
		t.Errorf("poll = %d %s, want 404 COOKIE_NOT_FOUND", a.status, a.body)
	}
	if a := ask(0, "a/b", 1); a.status != http.StatusBadRequest {
		t.Errorf("poll = %d %s, want 400", a.status, a.body)
	}
	if got := packets(t, ask(0, "", 0)); len(got) != 0 {
		t.Errorf("poll = %+v, want nothing: it takes none", got)
	}
	if got := packets(t, ask(0, "", 1)); len(got) != 1 || got[0].Cookie != "other" {
		t.Errorf("poll = %+v, want the other run", got)
	}
}
