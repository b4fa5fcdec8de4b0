package server_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// Each change has a line with who made it, and a change that changes nothing
// has none.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "one", "two") })
	w.register("w", 1)
	w.submit(api.Submit{Cookie: "a"})
	w.want(http.StatusOK, "POST", "/v1/runs/a/cancel", api.Cancel{Reason: "enough"}, "Authorization", bearer("two"))
	w.want(http.StatusOK, "POST", "/v1/runs/a/cancel", nil)
	w.want(http.StatusCreated, "POST", "/v1/runs/a/requeue", nil, "Authorization", bearer("two"))
	w.want(http.StatusOK, "POST", "/v1/runs/a/requeue", nil)
	w.want(http.StatusAccepted, "POST", "/v1/workers/w/shutdown", nil)
	w.submit(api.Submit{Cookie: "b", Concurrency: &api.Concurrency{Key: "k"}})
	w.submit(of("c", api.ConcurrencyCancelOlder))
	list := func(query string, limit int) []string {
		t.Helper()
		var out []string
		for cursor := ""; ; {
			page := into[api.AuditList](t, w.want(http.StatusOK, "GET", fmt.Sprintf("/v1/audit?limit=%d&%s%s", limit, query, cursor), nil))
			for i, e := range page.Entries {
				if i > 0 && e.At.After(page.Entries[i-1].At) {
					t.Errorf("an older line comes first: %+v", page.Entries)
				}
				out = append(out, fmt.Sprintf("%s %s %s %s", e.Actor, e.Action, e.Target, e.Detail))
			}
			if page.Next == "" {
				return out
			}
			cursor = "&cursor=" + page.Next
		}
	}
	all := []string{
		"one cancel b superseded by run c", "one submit c ", "one submit b ", "one shutdown w ",
		"two requeue a as a.requeue-1", "two submit a.requeue-1 requeued from a", "two cancel a enough", "one submit a ",
	}
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"", all},
		{"actor=two", all[4:7]},
		{"target=a", []string{all[4], all[6], all[7]}},
		{"actor=one&target=w", all[3:4]},
		{"action=cancel", []string{all[0], all[6]}},
		{"action=submit&actor=one", []string{all[1], all[2], all[7]}},
		{"action=backup", nil},
		{"since=2001-02-03T04:05:06%2B01:00", all},
		{"since=2101-02-03T04:05:06Z", nil},
		{"actor=three", nil},
	} {
		for _, limit := range []int{500, 3, 1} {
			if diff := cmp.Diff(tt.want, list(tt.query, limit)); diff != "" {
				t.Errorf("audit of %q in pages of %d (-want +got):\n%s", tt.query, limit, diff)
			}
		}
	}
	w.refused(api.CodeInvalidRequest, "GET", "/v1/audit?cursor=x", nil)
	w.refused(api.CodeInvalidRequest, "GET", "/v1/audit?limit=501", nil)
	w.refused(api.CodeInvalidRequest, "GET", "/v1/audit?action=theft", nil)
	w.refused(api.CodeInvalidRequest, "GET", "/v1/audit?since=yesterday", nil)
}
