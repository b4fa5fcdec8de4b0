package client_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// A watch shows lines once and in order, through streams that are cut, and asks
// for what it wants and has not seen.
func TestWatch(t *testing.T) {
	t.Parallel()
	state := func(s string) string { return "event: state\ndata: {\"cookie\":\"c\",\"state\":\"" + s + "\"}\n\n" }
	line := func(n int) string {
		return fmt.Sprintf("id: %d\nevent: log\ndata: {\"n\":%d,\"kind\":\"log\"}\n\n", n, n)
	}
	progress := "event: progress\ndata: {\"tasks\":[{\"number\":1}]}\n\n"
	cut := func(pieces ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			events(pieces...)(w, r)
			panic(http.ErrAbortHandler)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t,
			cut(line(3), state("RUNNING"), progress, line(4), "id: 5\nevent: log\nda"),
			page(502),
			cut(line(4), line(5), state("SUCCEEDED")),
			events(state("SUCCEEDED"), line(6)),
		)
		var shown []string
		tail := 2
		run, err := s.client(t, client.Config{}).Watch(t.Context(), "c", client.Watch{
			State:    func(r api.Run) { shown = append(shown, string(r.State)) },
			Progress: func(p api.Progress) { shown = append(shown, fmt.Sprint("task ", p.Tasks[0].Number)) },
			Event:    func(e api.Event) { shown = append(shown, fmt.Sprint(e.N)) },
			Tail:     &tail,
		})
		if err != nil || run.State != api.StateSucceeded {
			t.Errorf("Watch() = %s, %v, want SUCCEEDED", run.State, err)
		}
		if want := "3 RUNNING task 1 4 5 SUCCEEDED SUCCEEDED 6"; strings.Join(shown, " ") != want {
			t.Errorf("showed %q, want %q", shown, want)
		}
		var asked []string
		for _, r := range s.seen() {
			asked = append(asked, strings.TrimPrefix(r.line, "GET /v1/runs/c/events"))
		}
		if want := []string{"?tail=2", "?after=4", "?after=4", "?after=5"}; !slices.Equal(asked, want) {
			t.Errorf("asked for %q, want %q", asked, want)
		}
	})
}

// What is not wanted is not asked for.
func TestAWatchAsksForWhatItShows(t *testing.T) {
	t.Parallel()
	for want, watch := range map[string]client.Watch{
		"?kind=state":                  {},
		"?kind=state&kind=progress":    {Progress: func(api.Progress) {}},
		"?after=7&kind=state&kind=log": {Event: func(api.Event) {}, After: 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, events("event: state\ndata: {\"cookie\":\"c\",\"state\":\"DEAD\"}\n\n"))
			if _, err := s.client(t, client.Config{}).Watch(t.Context(), "c", watch); err != nil {
				t.Fatal(err)
			}
			if got := s.seen()[0].line; got != "GET /v1/runs/c/events"+want {
				t.Errorf("sent %s, want %s", got, want)
			}
		})
	}
}
