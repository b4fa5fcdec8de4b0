package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// fails has a run end without success.
func (wk *worker) fails(cookie string, rc api.RC) api.Run {
	wk.t.Helper()
	lease := wk.take()
	wk.post(api.Result{Cookie: cookie, Fence: lease.Fence, RC: rc, Error: "no"})
	return wk.get(cookie)
}

// A requeued run is a new one of the same body, and the old one stays as it is.
func TestRequeue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c", Variables: []byte(`{"a":1}`), Tags: map[string]string{"t": "v"}, Priority: 3, Retry: &api.Retry{Max: 1, On: []api.RetryCode{api.RetryTimeout}}})
	old := wk.fails("c", api.RCException)
	parked := wk.park()
	w.parked(1)
	a := w.want(http.StatusCreated, "POST", "/v1/runs/c/requeue", nil)
	made := into[api.Run](t, a)
	if got, want := a.header.Get("Location"), "/v1/runs/c.requeue-1"; got != want {
		t.Errorf("Location is %q, want %q", got, want)
	}
	if made.Cookie != "c.requeue-1" || made.RequeuedFrom != "c" || made.State != api.StateQueued || made.Priority != 3 || made.Retry == nil || made.Tags["t"] != "v" {
		t.Errorf("new run is %+v, want one like the old", made)
	}
	got := parked.packets()
	if len(got) != 1 || got[0].Cookie != "c.requeue-1" || string(got[0].Variables) != `{"a":1}` {
		t.Fatalf("the parked poll has %+v, want the new run with its variables", got)
	}
	if again := into[api.Run](t, w.want(http.StatusOK, "POST", "/v1/runs/c/requeue", nil)); again.Cookie != made.Cookie {
		t.Errorf("requeued again it is run %q, want %q", again.Cookie, made.Cookie)
	}
	old.RequeuedAs = made.Cookie
	if diff := cmp.Diff(old, w.get("c")); diff != "" {
		t.Errorf("old run before (-) and after:\n%s", diff)
	}
	w.refused(api.CodeNotRequeueable, "POST", "/v1/runs/c.requeue-1/requeue", nil)
	wk.finish(held(got[0]))
	w.refused(api.CodeNotRequeueable, "POST", "/v1/runs/c.requeue-1/requeue", nil)
	w.refused(api.CodeCookieNotFound, "POST", "/v1/runs/none/requeue", nil)
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/a%20b/requeue", nil)

	long := strings.Repeat("x", api.MaxCookieBytes)
	w.submit(api.Submit{Cookie: long})
	for _, from := range []string{long, ""} {
		if from == "" {
			from = made.Cookie
		}
		w.cancel(from)
		made = into[api.Run](t, w.want(http.StatusCreated, "POST", "/v1/runs/"+from+"/requeue", nil))
		if !api.ValidCookie(made.Cookie) {
			t.Errorf("cookie of the new run is %q", made.Cookie)
		}
	}
	if !strings.HasSuffix(made.Cookie, ".requeue-2") {
		t.Errorf("the second requeue is %q", made.Cookie)
	}
}

// Many runs are requeued by a filter, and none of them twice.
func TestRequeueMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	began := time.Now().Add(-time.Hour)
	for i := range 3 {
		cookie := fmt.Sprint("f", i)
		w.submit(api.Submit{Cookie: cookie})
		wk.fails(cookie, api.RCException)
	}
	w.submit(api.Submit{Cookie: "cancelled"})
	w.cancel("cancelled")
	w.submit(api.Submit{Cookie: "other", Pipeline: "p2"})
	wk.fails("other", api.RCTimeout)
	requeue := func(in api.Requeue) ([]string, bool) {
		t.Helper()
		out := into[api.RequeueResult](t, w.want(http.StatusOK, "POST", "/v1/runs/requeue", in))
		list := []string{}
		for _, one := range out.Requeued {
			if one.Problem != nil {
				t.Errorf("%s: %+v", one.From, one.Problem)
			}
			list = append(list, one.From)
		}
		return list, out.Next != ""
	}
	failed := []api.RequeueState{api.RequeueFailed, api.RequeueTimedOut}
	for _, step := range []struct {
		name string
		in   api.Requeue
		want string
		more bool
	}{
		{"a dry run does nothing", api.Requeue{States: failed, Selection: api.Selection{DryRun: true}}, "f0 f1 f2 other", false},
		{"the newest come first, the oldest of them first", api.Requeue{States: failed, Selection: api.Selection{Pipeline: "p", Limit: 2}}, "f1 f2", true},
		{"what was requeued is not requeued again", api.Requeue{States: failed, Selection: api.Selection{Pipeline: "p", Limit: 2}}, "f0", false},
		{"only what somebody submitted", api.Requeue{States: failed, Selection: api.Selection{Submitter: "nobody"}}, "", false},
		{"only what was submitted since a time", api.Requeue{States: failed, Selection: api.Selection{Since: began.Add(2 * time.Hour)}}, "", false},
		{"only what was submitted until a time", api.Requeue{States: failed, Selection: api.Selection{Until: began}}, "", false},
		{"what all of that selects", api.Requeue{States: failed, Selection: api.Selection{Submitter: "anybody", Since: began, Until: began.Add(2 * time.Hour), DryRun: true}}, "other", false},
		{"only what is in one of the states", api.Requeue{States: failed}, "other", false},
		{"nothing is left", api.Requeue{States: failed}, "", false},
	} {
		got, more := requeue(step.in)
		if strings.Join(got, " ") != step.want || more != step.more {
			t.Errorf("%s: requeued %q, more: %t, want %q, %t", step.name, got, more, step.want, step.more)
		}
	}
	w.state(api.StateQueued, "f0.requeue-1")
	w.cancel("f0.requeue-1")
	w.cancel("f1.requeue-1")
	page := func(in api.Selection) api.RequeueResult {
		t.Helper()
		return into[api.RequeueResult](t, w.want(http.StatusOK, "POST", "/v1/runs/requeue", api.Requeue{States: []api.RequeueState{api.RequeueCancelled}, Selection: in}))
	}
	first := page(api.Selection{Limit: 1, DryRun: true})
	second := page(api.Selection{Limit: 1, Cursor: first.Next})
	w.cancel(second.Requeued[0].Cookie)
	rest := page(api.Selection{Until: first.Until})
	if first.Requeued[0].From != "f0.requeue-1" || second.Requeued[0].From != "f1.requeue-1" {
		t.Errorf("the pages begin with %+v and %+v, want the newest and the one before", first.Requeued, second.Requeued)
	}
	if n := len(rest.Requeued); n != 2 || rest.Requeued[0].From != "cancelled" || rest.Requeued[1].From != "f0.requeue-1" || !rest.Until.Equal(first.Until) {
		t.Errorf("what is left of the time of the first page is %+v, want what was not requeued yet and was not made since", rest)
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/requeue", api.Requeue{})
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/requeue", `{"states": ["SUCCEEDED"]}`)
	for name, body := range map[string]string{
		"pipelin: ": `{"states": ["FAILED"], "pipelin": "x", "dry_run": true}`,
		"tag: is no field here, where there are states, pipeline, queue, worker": `{"states": ["FAILED"], "tag": {"a": "b"}}`,
		"since: ":     `{"states": ["DEAD"], "since": "2h"}`,
		"until: ":     `{"states": ["DEAD"], "until": 5}`,
		"cursor: ":    `{"states": ["DEAD"], "cursor": "x"}`,
		"submitter: ": `{"states": ["DEAD"], "submitter": "A B"}`,
		"than since":  `{"states": ["DEAD"], "since": "2001-02-03T04:05:06Z", "until": "2001-02-03T04:05:06Z"}`,
	} {
		if a := w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/requeue", body); !strings.Contains(a.body, name) {
			t.Errorf("the answer is %s, want %q in it", a.body, name)
		}
	}
}
