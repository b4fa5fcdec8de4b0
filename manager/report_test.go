package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
)

// about reports whether a batch has a result of this run.
func about(results []api.Result, cookie string) bool {
	return slices.ContainsFunc(results, func(r api.Result) bool { return r.Cookie == cookie })
}

func TestResultsThatEndWhileOthersArePostedTravelTogether(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			time.Sleep(time.Second)
			return nil, nil
		}}
		m := start(t, standard, s)
		m.Handle(run("a", "echo"))
		synctest.Wait()
		for _, c := range []string{"b", "c", "d"} {
			m.Handle(run(c, "echo"))
		}
		synctest.Wait()
		m.Handle(run("a", "wait")) // the server has not seen its acknowledgement
		if got, want := holding(m), []string{"a/1", "b/1", "c/1", "d/1"}; !slices.Equal(got, want) || m.InUse() != 0 {
			t.Errorf("holding %q with %d slots in use, want %q until they are judged, with none", got, m.InUse(), want)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, want := s.posted(), []string{"a", "b c d"}; !slices.Equal(got, want) {
			t.Errorf("posted %q, want %q", got, want)
		}
		if len(m.Holding()) > 0 {
			t.Errorf("%v is held still", m.Holding())
		}
	})
}

func TestLargeResultsTravelAlone(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			time.Sleep(time.Second)
			return nil, nil
		}}
		m := start(t, pipelines{"echo": echo, "large": func(context.Context, engine.Input) (engine.Output, error) {
			return engine.Output{}, fmt.Errorf("no: %s", strings.Repeat("x", 300<<10))
		}}, s)
		m.Handle(run("a", "echo"))
		synctest.Wait()
		for i, c := range []string{"b", "c", "d"} {
			time.Sleep(time.Duration(i))
			m.Handle(run(c, "large"))
		}
		time.Sleep(10 * time.Second)
		if got, want := s.posted(), []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
			t.Errorf("posted %q, want %q", got, want)
		}
	})
}

func TestRefusedResults(t *testing.T) {
	t.Parallel()
	refusal := api.Errorf(api.CodeInvalidRequest, "malformed")
	for _, tt := range []struct {
		name   string
		refuse func(results []api.Result) bool
		want   []string // of a to d, and what stands for it
		left   string   // what Drain says
	}{
		{"a refused batch is posted one by one", func(results []api.Result) bool { return len(results) > 1 },
			[]string{"a/1 OK {}", "b/1 OK {}", "c/1 OK {}", "d/1 OK {}"}, ""},
		{"a refused result is replaced", func(results []api.Result) bool {
			return about(results, "c") && results[0].RC == api.RCOK
		},
			[]string{"a/1 OK {}", "b/1 OK {}", "c/1 PROCESSOR_EXCEPTION the server refused the result of this run: malformed", "d/1 OK {}"}, ""},
		{"a result that is refused twice is given up", func(results []api.Result) bool { return about(results, "c") },
			[]string{"a/1 OK {}", "b/1 OK {}", "d/1 OK {}"}, "1 results could not be posted"},
	} {
		for how, no := range map[string]func() ([]api.Verdict, error){
			"in words":            func() ([]api.Verdict, error) { return nil, refusal },
			"by too few verdicts": func() ([]api.Verdict, error) { return []api.Verdict{}, nil },
		} {
			bubble(t, tt.name+", "+how, func(t *testing.T) {
				s := &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
					time.Sleep(time.Second)
					if tt.refuse(results) {
						return no()
					}
					return nil, nil
				}}
				m := start(t, standard, s)
				for _, c := range []string{"a", "b", "c", "d"} {
					m.Handle(run(c, "echo"))
				}
				time.Sleep(time.Minute)
				want := slices.Clone(tt.want)
				if how != "in words" {
					for i := range want {
						want[i] = strings.Replace(want[i], "malformed", "0 verdicts for 1 results", 1)
					}
				}
				s.expect(t, want...)
				if len(m.Holding()) > 0 {
					t.Errorf("%v is held still", m.Holding())
				}
				if err := m.Drain(t.Context()); fmt.Sprint(err) != tt.left && (err != nil || tt.left != "") {
					t.Errorf("Drain() = %v, want %q", err, tt.left)
				}
			})
		}
	}
}

func TestARunThatGoesBackIsNotReplaced(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		posts := 0
		s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			posts++
			return nil, api.Errorf(api.CodeInvalidRequest, "malformed")
		}}
		m := start(t, standard, s)
		m.Handle(cancel("a"))
		synctest.Wait()
		if posts != 1 {
			t.Errorf("the answer was posted %d times, want once", posts)
		}
	})
}

func TestEveryVerdictEndsTheHolding(t *testing.T) {
	t.Parallel()
	for _, v := range []api.VerdictCode{api.VerdictAccepted, api.VerdictDuplicate, api.VerdictStale, api.VerdictRejected, "newer"} {
		bubble(t, string(v), func(t *testing.T) {
			posts := 0
			m := start(t, standard, &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
				posts++
				verdicts := accepted(results)
				verdicts[0].Verdict = v
				return verdicts, nil
			}})
			m.Handle(run("a", "echo"))
			time.Sleep(time.Hour)
			synctest.Wait()
			if posts != 1 || len(m.Holding()) != 0 {
				t.Errorf("posted %d times, holding %v, want once and nothing", posts, m.Holding())
			}
		})
	}
}

func TestJudgedTellsWhenLeasesAreNotHeldAnyMore(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		m := start(t, standard, &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			time.Sleep(time.Second)
			return nil, nil
		}})
		judged := m.Judged()
		began := time.Now()
		m.Handle(run("a", "echo"))
		<-judged
		if got := holding(m); len(got) > 0 || time.Since(began) != time.Second {
			t.Errorf("judged after %s, holding %q; want it when the server has answered", time.Since(began), got)
		}
		select {
		case <-m.Judged():
			t.Error("Judged() is closed, though nothing has been judged since")
		default:
		}
	})
}

// The whole way of results, over HTTP: cut, refused by a proxy, and judged.
func TestResultsOverHTTP(t *testing.T) {
	t.Parallel()
	values := []string{`0`, `false`, `""`, `[]`, `null`, `{"a": 1}`}
	got := make(chan string, len(values))
	attempts := make(chan struct{}, 100)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempts <- struct{}{}
		switch len(attempts) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return
		}
		body, _ := io.ReadAll(r.Body) // a cut one does not decode
		var in struct {
			Results []struct {
				Cookie string
				Fence  int64
				Result json.RawMessage
			}
		}
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		var out api.Verdicts
		for _, r := range in.Results {
			out.Verdicts = append(out.Verdicts, api.Verdict{Cookie: r.Cookie, Fence: r.Fence, Verdict: api.VerdictAccepted})
			got <- r.Cookie + " " + string(r.Result)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the worker may have gone
	}))
	defer h.Close()
	c, err := client.New(client.Config{URL: h.URL, RetryMin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	report := func(ctx context.Context, results []api.Result) ([]api.Verdict, error) {
		return c.PostResults(ctx, "w", api.Results{Session: "s", Results: results})
	}
	m := manager.New(manager.Config{Capacity: len(values)}, pipelines{"p": func(_ context.Context, in engine.Input) (engine.Output, error) {
		var v struct{ Value json.RawMessage }
		if err := json.Unmarshal(in.Variables, &v); err != nil {
			return engine.Output{}, err
		}
		return engine.Output{Result: v.Value}, nil
	}}, report, slog.New(slog.DiscardHandler))
	var want, have []string
	for i, v := range values {
		p := run(fmt.Sprint("r", i), "p")
		p.Variables = json.RawMessage(`{"value": ` + v + `}`)
		m.Handle(p)
		want = append(want, fmt.Sprintf("r%d %s", i, strings.ReplaceAll(v, " ", "")))
	}
	for range values {
		have = append(have, <-got)
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("the server was sent\n got %q\nwant %q", have, want)
	}
	if err := m.Drain(t.Context()); err != nil {
		t.Errorf("Drain() = %v", err)
	}
}
