package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

func TestRetries(t *testing.T) {
	t.Parallel()
	fine := answer(http.StatusCreated, ended)
	for _, tt := range []struct {
		name    string
		refused int
		answers []http.HandlerFunc
		want    int // requests that arrive
		err     string
	}{
		{"an answer ends it", 0, []http.HandlerFunc{fine}, 1, ""},
		{"a refused connection is tried again", 3, []http.HandlerFunc{fine}, 1, ""},
		{"a refused connection is explained", 4, []http.HandlerFunc{fine}, 0,
			`submit "p": server http://pullrun.test: dial tcp: connection refused; is it running?`},
		{"a cut answer is tried again", 0, []http.HandlerFunc{cut(fine), fine}, 2, ""},
		{"a cut connection is tried again", 0, []http.HandlerFunc{cut(func(http.ResponseWriter, *http.Request) {}), fine}, 2, ""},
		{"what is always cut is given up", 0, []http.HandlerFunc{cut(fine)}, 4, "read the answer: the body ends within its JSON value: unexpected EOF"},
		{"later", 0, []http.HandlerFunc{problem(api.CodeUnavailable), problem(api.CodeTooManyRequests), problem(api.CodeStoreFull), fine}, 4, ""},
		{"the server's own fault is tried again", 0, []http.HandlerFunc{problem(api.CodeInternal), fine}, 2, ""},
		{"what is always later is given up", 0, []http.HandlerFunc{problem(api.CodeQueueFull)}, 4, `submit "p": the server says no`},
		{"a cut problem says nothing", 0, []http.HandlerFunc{cut(problem(api.CodeUnauthorized)), fine}, 2, ""},
		{"a malformed call is not repeated", 0, []http.HandlerFunc{problem(api.CodeInvalidRequest)}, 1, `submit "p": the server says no`},
		{"a refused token is not tried again", 0, []http.HandlerFunc{problem(api.CodeUnauthorized)}, 1, "the server says no"},
		{"a forbidden call is not repeated", 0, []http.HandlerFunc{problem(api.CodeForbidden)}, 1, "the server says no"},
		{"a collision is not repeated", 0, []http.HandlerFunc{problem(api.CodeCookieCollision)}, 1, "the server says no"},
		{"a body that is too large is not repeated", 0, []http.HandlerFunc{problem(api.CodeBodyTooLarge)}, 1, "the server says no"},
		{"what a proxy says is tried again, whatever its status", 0, []http.HandlerFunc{page(502), page(403), page(200), fine}, 4, ""},
		{"but for what its size says", 0, []http.HandlerFunc{page(413)}, 1,
			`submit "p": the answer "413 Request Entity Too Large" (text/html) did not come from a pullrun server: what stands before it takes no body of this size`},
		{"what a proxy says is described", 0, []http.HandlerFunc{page(502)}, 4,
			`submit "p": the answer "502 Bad Gateway" (text/html) did not come from a pullrun server`},
		{"a proxy's page for an answer is no answer", 0, []http.HandlerFunc{page(200)}, 4, "read the answer: the body is not JSON: invalid character '<'"},
		{"a problem without a code is not ours", 0, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"title": "no"}`))
		}, fine}, 2, ""},
		{"the status of a problem is the response's", 0, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"code": "NEWER", "detail": "later"}`))
		}, fine}, 2, ""},
		{"an empty answer is none", 0, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, fine}, 2, ""},
		{"an answer about nothing is none", 0, []http.HandlerFunc{answer(200, struct{}{}), fine}, 2, ""},
		{"an answer about another run is none", 0, []http.HandlerFunc{answer(200, api.Run{Cookie: "d"}), fine}, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, tt.answers...)
				s.network.refusal = tt.refused
				err := submit(t.Context(), s.client(t, client.Config{Retries: 3}))
				if !has(err, tt.err) {
					t.Errorf("Submit() = %v, want %q", err, tt.err)
				}
				if got := len(s.seen()); got != tt.want {
					t.Errorf("%d requests, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestARefusalKeepsItsCode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, problem(api.CodeCookieCollision))
		err := submit(t.Context(), s.client(t, client.Config{}))
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeCookieCollision || e.Status != http.StatusConflict {
			t.Errorf("Submit() = %#v, want COOKIE_COLLISION with 409", e)
		}
	})
}

func TestRetryAfterIsHonouredUpToTheCap(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int]time.Duration{7: 7 * time.Second, 3600: 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", strconv.Itoa(asked))
				problem(api.CodeUnavailable)(w, r)
			}, answer(200, ended))
			c := s.client(t, client.Config{Retries: 1, RetryMin: time.Second, RetryMax: 10 * time.Second})
			if err := submit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			got := s.seen()[1].at.Sub(s.seen()[0].at)
			if got < want || got >= want+time.Second {
				t.Errorf("Retry-After: %d was waited %s, want from %s to a second more", asked, got, want)
			}
		})
	}
}

func TestRetryAfterReachesTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			problem(api.CodeUnavailable)(w, r)
		})
		_, err := s.client(t, client.Config{}).Poll(t.Context(), "w", api.Poll{Session: "s", HoldMS: 1})
		var e *api.Error
		if !errors.As(err, &e) || e.RetryAfter != 7*time.Second {
			t.Errorf("Poll() = %v, want an error with RetryAfter 7s", err)
		}
	})
}

// The waits fill the whole range below a ceiling that doubles up to the cap.
func TestFullJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const least, most = 100 * time.Millisecond, 10 * time.Second
		s := newServer(t, problem(api.CodeUnavailable))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		_, err := s.client(t, client.Config{RetryMin: least, RetryMax: most}).PostResults(ctx, "w", oneResult)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("PostResults() = %v, want the context's end", err)
		}
		var low, high bool
		seen := s.seen()
		for n := range len(seen) - 1 {
			wait := seen[n+1].at.Sub(seen[n].at)
			ceiling := most
			if n < 7 {
				ceiling = min(least<<n, most)
			}
			if wait >= ceiling {
				t.Errorf("wait %d is %s, want less than %s", n, wait, ceiling)
			}
			low = low || ceiling == most && wait < most/10
			high = high || wait > most*9/10
		}
		if !low || !high {
			t.Errorf("%d waits never were near nothing (%t) or near the cap (%t)", len(seen), low, high)
		}
	})
}

var oneResult = api.Results{Session: "s", Results: []api.Result{{Cookie: "c", Fence: 1, RC: api.RCOK}}}

func TestPostResults(t *testing.T) {
	t.Parallel()
	accepted := answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "c", Fence: 1, Verdict: api.VerdictAccepted}}})
	for _, tt := range []struct {
		name    string
		refused int
		answers []http.HandlerFunc
		want    int
		err     string
	}{
		{"an outage is waited out", 500, []http.HandlerFunc{accepted}, 1, ""},
		{"a token that is not accepted says nothing about results", 0, []http.HandlerFunc{problem(api.CodeUnauthorized), problem(api.CodeForbidden), accepted}, 3, ""},
		{"an answer that is not whole is none", 0, []http.HandlerFunc{answer(200, api.Verdicts{}), answer(200, struct{}{}), accepted}, 3, ""},
		{"an empty answer is none", 0, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, accepted}, 2, ""},
		{"verdicts on something else are none", 0, []http.HandlerFunc{
			answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "d", Fence: 1, Verdict: api.VerdictAccepted}}}),
			answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "c", Fence: 2, Verdict: api.VerdictAccepted}}}),
			answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "c", Fence: 1}}}), accepted,
		}, 4, ""},
		{"a malformed batch is not repeated", 0, []http.HandlerFunc{problem(api.CodeInvalidRequest)}, 1, "post 1 results: the server says no"},
		{"a batch that is too large is not repeated", 0, []http.HandlerFunc{problem(api.CodeBodyTooLarge)}, 1, "post 1 results: the server says no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, tt.answers...)
				s.network.refusal = tt.refused
				verdicts, err := s.client(t, client.Config{}).PostResults(t.Context(), "w", oneResult)
				if !has(err, tt.err) || err == nil && len(verdicts) != 1 {
					t.Errorf("PostResults() = %v, %v, want one verdict or %q", verdicts, err, tt.err)
				}
				if got := len(s.seen()); got != tt.want {
					t.Errorf("%d requests, want %d", got, tt.want)
				}
			})
		})
	}
}

// A slowPath carries 20 KiB a second upwards.
type slowPath struct{ net.Conn }

func (c slowPath) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(len(p)) * time.Second / (20 << 10))
	return c.Conn.Write(p)
}

// A large body gets the time that a slow path takes for it, however often it was
// tried before.
func TestALargeResultTravelsOnASlowPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "c", Fence: 1, Verdict: api.VerdictAccepted}}}))
		c := newClient(t, client.Config{URL: "http://pullrun.test", Transport: client.Transport{
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := s.network.dial(ctx, network, addr)
				return slowPath{conn}, err
			},
		}})
		large := oneResult
		large.Results = []api.Result{{Cookie: "c", Fence: 1, RC: api.RCOK, Result: []byte(`"` + strings.Repeat("x", 2<<20) + `"`)}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := c.PostResults(ctx, "w", large); err != nil || len(s.seen()) != 1 {
			t.Errorf("PostResults() = %v after %d requests, want it to arrive with the first", err, len(s.seen()))
		}
	})
}

func TestPostResultsEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, hang)
		s.network.refusal = 20
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errOver)
		defer cancel()
		began := time.Now()
		_, err := s.client(t, client.Config{}).PostResults(ctx, "w", oneResult)
		if !errors.Is(err, errOver) || time.Since(began) != time.Hour {
			t.Errorf("PostResults() = %v after %s, want %v after 1h", err, time.Since(began), errOver)
		}
	})
}

func TestEachAttemptHasItsDeadline(t *testing.T) {
	t.Parallel()
	halfway := func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"cookie":`))
		http.NewResponseController(w).Flush()
		hang(w, r)
	}
	for name, h := range map[string]http.HandlerFunc{"before the answer": hang, "within the answer": halfway} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, h)
				c := s.client(t, client.Config{Retries: 2, Timeout: 3 * time.Second, RetryMin: 1, RetryMax: 1})
				began := time.Now()
				err := submit(t.Context(), c)
				if timeout := net.Error(nil); !has(err, "no answer within 3s") || !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("Submit() = %v, want no answer within 3s, as a net.Error", err)
				}
				if took := time.Since(began).Round(time.Second); took != 9*time.Second || len(s.seen()) != 3 {
					t.Errorf("%d attempts took %s, want 3 in 9s", len(s.seen()), took)
				}
			})
		})
	}
}
