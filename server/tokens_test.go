package server_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// issue creates a token, which must be seen nowhere from then on.
func (w *world) issue(in api.NewToken) api.IssuedToken {
	w.t.Helper()
	out := into[api.IssuedToken](w.t, w.want(http.StatusCreated, "POST", "/v1/tokens", in))
	w.t.Cleanup(func() {
		if bytes.Contains(w.log.Bytes(), []byte(out.Text)) {
			w.t.Error("the log holds a token that was issued")
		}
	})
	return out
}

// shows is the header of a call that shows a token.
func shows(token string) []string { return []string{"Authorization", "Bearer " + token} }

// enrol exchanges an enrolment for a credential.
func (w *world) enrol(enrolment, worker string) (credential string) {
	w.t.Helper()
	credential = api.NewTokenText(api.TokenWorker)
	got := into[api.Enrolled](w.t, w.want(http.StatusOK, "POST", "/v1/enrol", api.Credential(worker, credential), shows(enrolment)...))
	if left := time.Until(got.ExpiresAt); got.RenewMS != (12*time.Hour).Milliseconds() || left > 25*time.Hour || left < 23*time.Hour {
		w.t.Errorf("the credential is good for %s and replaced after %d ms, want a day and half of one", left, got.RenewMS)
	}
	return credential
}

func (w *world) enrolment(change ...func(*api.NewToken)) string {
	w.t.Helper()
	in := api.NewToken{Kind: api.TokenEnrolment, Name: "edge"}
	for _, c := range change {
		c(&in)
	}
	return w.issue(in).Text
}

func admin(s *setup) { tokens(s, "root") }

// audited are the entries of an action, as "actor target detail".
func (w *world) audited(action api.AuditAction) (lines []string) {
	w.t.Helper()
	for _, e := range into[api.AuditList](w.t, w.want(http.StatusOK, "GET", "/v1/audit?action="+string(action), nil)).Entries {
		lines = append(lines, e.Actor+" "+e.Target+" "+e.Detail)
	}
	return lines
}

func TestTokenIsIssuedListedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	a := w.issue(api.NewToken{Name: "ci", Scopes: []api.Scope{api.ScopeSubmit}})
	b := w.issue(api.NewToken{Name: "eyes", Scopes: []api.Scope{api.ScopeRead}, TTLMS: time.Hour.Milliseconds()})
	w.want(http.StatusCreated, "POST", "/v1/runs", api.Submit{Pipeline: "p"}, shows(a.Text)...)
	w.want(http.StatusOK, "GET", "/v1/queues", nil, shows(b.Text)...)
	w.refused(api.CodeForbidden, "POST", "/v1/runs", api.Submit{Pipeline: "p"}, shows(b.Text)...)
	w.refused(api.CodeForbidden, "GET", "/v1/tokens", nil, shows(a.Text)...)

	answer := w.want(http.StatusOK, "GET", "/v1/tokens", nil)
	list := into[api.TokenList](t, answer).Tokens
	if len(list) != 2 || list[0].Name != "ci" || list[1].Name != "eyes" || list[0].CreatedBy != "root" {
		t.Fatalf("tokens are %s", answer.body)
	}
	if strings.Contains(answer.body, a.Text) || strings.Contains(answer.body, api.TokenDigest(a.Text)) {
		t.Error("the list of tokens tells what makes one")
	}
	if used := list[0].UsedAt; time.Since(used).Abs() > time.Minute || !list[0].ExpiresAt.IsZero() {
		t.Errorf("a token that is in use: %+v", list[0])
	}
	if left := time.Until(list[1].ExpiresAt); left < 59*time.Minute || left > 61*time.Minute {
		t.Errorf("a token of an hour is good for %s", left)
	}

	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+a.Token.ID, nil)
	w.refused(api.CodeUnauthorized, "POST", "/v1/runs", api.Submit{Pipeline: "p"}, shows(a.Text)...)
	w.want(http.StatusOK, "GET", "/v1/queues", nil, shows(b.Text)...)
	w.refused(api.CodeNotFound, "DELETE", "/v1/tokens/"+a.Token.ID, nil)
	if got, want := w.audited(api.AuditTokenCreate), []string{"root " + b.Token.ID + " token eyes", "root " + a.Token.ID + " token ci"}; !slices.Equal(got, want) {
		t.Errorf("audit of what was issued %q, want %q", got, want)
	}
	if got, want := w.audited(api.AuditTokenRevoke), []string{"root " + a.Token.ID + " token ci"}; !slices.Equal(got, want) {
		t.Errorf("audit of what was revoked %q, want %q", got, want)
	}
}

// Tokens outlive the server, and the database alone does not give them away.
func TestTokensAreKeptAsDigests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	issued := w.issue(api.NewToken{Name: "ci", Scopes: []api.Scope{api.ScopeRead}})
	w = w.again()
	w.want(http.StatusOK, "GET", "/v1/queues", nil, shows(issued.Text)...)
	w.end()
	if storetest.Kind() != storetest.SQLite {
		return
	}
	files, err := filepath.Glob(strings.TrimPrefix(w.setup.store, "sqlite://") + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the database: %v, %v", files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if secret := issued.Text[len("prt_")+10:]; bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%s holds a token", file)
		}
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		issued := w.issue(api.NewToken{Name: "ci", Scopes: []api.Scope{api.ScopeRead}, TTLMS: time.Minute.Milliseconds()})
		time.Sleep(59 * time.Second)
		w.want(http.StatusOK, "GET", "/v1/queues", nil, shows(issued.Text)...)
		time.Sleep(time.Second)
		w.refused(api.CodeUnauthorized, "GET", "/v1/queues", nil, shows(issued.Text)...)
	}, admin)
}

// A worker with a credential does its work, and nobody else's.
func TestWorkerIsEnrolled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	enrolment := w.enrolment()
	credential := w.enrol(enrolment, "edge-1")
	session := into[api.Registered](t, w.want(http.StatusCreated, "POST", "/v1/workers", api.Register{Name: "edge-1", Capacity: 1}, shows(credential)...)).Session
	w.submit(api.Submit{Cookie: "r"})
	poll := api.Poll{Session: session, Holding: []api.Held{}}
	got := packets(t, w.call("POST", "/v1/workers/edge-1/poll", poll, shows(credential)...))
	cookies(t, []string{"r"}, got)
	w.want(http.StatusOK, "POST", "/v1/workers/edge-1/results", api.Results{Session: session, Results: []api.Result{ok(held(got[0]))}}, shows(credential)...)
	w.state(api.StateSucceeded, "r")

	other := w.register("edge-2", 1)
	for _, path := range []string{"/poll", "/heartbeat"} {
		w.refused(api.CodeForbidden, "POST", other.path(path), api.Poll{Session: other.session, Holding: []api.Held{}}, shows(credential)...)
	}
	w.refused(api.CodeForbidden, "POST", other.path("/results"), api.Results{Session: other.session, Results: []api.Result{{Cookie: "r", Fence: 1, RC: api.RCOK}}}, shows(credential)...)
	w.refused(api.CodeForbidden, "DELETE", other.path("?session="+other.session), nil, shows(credential)...)
	w.refused(api.CodeForbidden, "POST", "/v1/workers", api.Register{Name: "edge-2", Capacity: 1}, shows(credential)...)
	w.refused(api.CodeForbidden, "POST", "/v1/runs", api.Submit{Pipeline: "p"}, shows(credential)...)
	w.refused(api.CodeForbidden, "GET", "/v1/runs", nil, shows(credential)...)
	w.refused(api.CodeForbidden, "POST", "/v1/workers", api.Register{Name: "edge-1", Capacity: 1}, shows(enrolment)...)
	if got := w.audited(api.AuditEnrol); len(got) != 1 || got[0] != "edge edge-1 credential "+api.TokenID(credential) {
		t.Errorf("audit of enrolments: %q", got)
	}
}

func TestEnrolment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	fresh := func(worker string) api.NewCredential {
		return api.Credential(worker, api.NewTokenText(api.TokenWorker))
	}

	once := w.enrolment()
	first := fresh("a")
	answer := w.want(http.StatusOK, "POST", "/v1/enrol", first, shows(once)...)
	if again := w.want(http.StatusOK, "POST", "/v1/enrol", first, shows(once)...); again.body == "" || answer.body == "" {
		t.Errorf("the same exchange once more = %s, after %s", again.body, answer.body)
	}
	if n := len(w.audited(api.AuditEnrol)); n != 1 {
		t.Errorf("%d enrolments are audited, want the one that was repeated", n)
	}
	w.refused(api.CodeForbidden, "POST", "/v1/enrol", fresh("a"), shows(once)...)
	if spent := w.refused(api.CodeForbidden, "POST", "/v1/enrol", fresh("b"), shows(once)...); !strings.Contains(spent.body, `by the worker \"a\"`) {
		t.Errorf("an enrolment that was used is refused with %s, want who used it", spent.body)
	}

	w.refused(api.CodeForbidden, "POST", "/v1/enrol", fresh("a"), shows(w.enrolment())...) // it has one
	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+first.ID, nil)
	gone := w.refused(api.CodeForbidden, "POST", "/v1/enrol", first, shows(once)...) // it does not come back
	if !strings.Contains(gone.body, "that was revoked since") {
		t.Errorf("its credential's revocation is told as %s", gone.body)
	}
	w.want(http.StatusOK, "POST", "/v1/enrol", fresh("a"), shows(w.enrolment())...)

	named := w.enrolment(func(in *api.NewToken) { in.Worker = "edge-?" })
	w.refused(api.CodeForbidden, "POST", "/v1/enrol", fresh("edge-10"), shows(named)...)
	w.refused(api.CodeForbidden, "POST", "/v1/enrol", fresh("other"), shows(named)...)
	w.want(http.StatusOK, "POST", "/v1/enrol", fresh("edge-1"), shows(named)...)

	revoked := w.issue(api.NewToken{Kind: api.TokenEnrolment, Name: "edge"})
	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+revoked.Token.ID, nil)
	w.refused(api.CodeUnauthorized, "POST", "/v1/enrol", fresh("c"), shows(revoked.Text)...)
	w.refused(api.CodeForbidden, "POST", "/v1/enrol", fresh("c")) // an administrator does not enrol
}

func TestEnrolmentExpires(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		late, spent := w.enrolment(), w.enrolment()
		in := api.Credential("a", api.NewTokenText(api.TokenWorker))
		w.want(http.StatusOK, "POST", "/v1/enrol", in, shows(spent)...)
		time.Sleep(time.Hour)
		w.refused(api.CodeUnauthorized, "POST", "/v1/enrol", api.Credential("b", api.NewTokenText(api.TokenWorker)), shows(late)...)
		// A worker that died before it had the answer is not shut out.
		w.want(http.StatusOK, "POST", "/v1/enrol", in, shows(spent)...)
	}, admin)
}

func TestCredentialIsBoundToQueuesAndLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	credential := w.enrol(w.enrolment(func(in *api.NewToken) {
		in.Queues, in.Labels = []string{"etl"}, map[string]string{"zone": "eu"}
	}), "a")
	for _, tt := range []struct {
		name string
		in   api.Register
		ok   bool
	}{
		{"what it is bound to", api.Register{Queues: []string{"etl"}, Labels: map[string]string{"zone": "eu"}}, true},
		{"less than it is bound to", api.Register{Queues: []string{"etl"}}, true},
		{"another queue", api.Register{Queues: []string{"etl", "billing"}}, false},
		{"the default queue", api.Register{}, false},
		{"another value of a label", api.Register{Queues: []string{"etl"}, Labels: map[string]string{"zone": "us"}}, false},
		{"another label", api.Register{Queues: []string{"etl"}, Labels: map[string]string{"gpu": "yes"}}, false},
	} {
		tt.in.Name, tt.in.Capacity = "a", 1
		if got := w.call("POST", "/v1/workers", tt.in, shows(credential)...).status; (got == http.StatusCreated) != tt.ok {
			t.Errorf("%s: %d, want registered: %t", tt.name, got, tt.ok)
		}
	}
}

// Nor does a worker get a run that it names, if its queue or its labels are not
// those that its token allows.
func TestBoundTokensPollForARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	bound := w.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeWork}, Queues: []string{"etl"}, Labels: map[string]string{"zone": "eu"}}).Text
	in := api.Register{Name: "a", Capacity: 9, Queues: []string{"etl"}}
	session := into[api.Registered](t, w.want(http.StatusCreated, "POST", "/v1/workers", in, shows(bound)...)).Session
	for _, tt := range []struct {
		run  api.Submit
		want int
	}{
		{api.Submit{Cookie: "allowed", Queue: "etl", Labels: map[string]string{"zone": "eu"}}, http.StatusOK},
		{api.Submit{Cookie: "queue", Queue: "billing"}, http.StatusForbidden},
		{api.Submit{Cookie: "label", Queue: "etl", Labels: map[string]string{"gpu": "yes"}}, http.StatusForbidden},
	} {
		w.submit(tt.run)
		poll := api.Poll{Session: session, Holding: []api.Held{}, Run: tt.run.Cookie}
		if got := w.call("POST", "/v1/workers/a/poll", poll, shows(bound)...); got.status != tt.want {
			t.Errorf("poll for run %q = %d %s, want %d", tt.run.Cookie, got.status, got.body, tt.want)
		}
	}
	poll := api.Poll{Session: session, Holding: []api.Held{}, Run: "strange"}
	w.refused(api.CodeCookieNotFound, "POST", "/v1/workers/a/poll", poll, shows(bound)...)
}

func TestCredentialIsRotated(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		old := w.enrol(w.enrolment(), "a")
		successor := api.NewTokenText(api.TokenWorker)
		in := api.Credential("a", successor)
		for range 2 { // an answer may be lost
			w.want(http.StatusOK, "POST", "/v1/workers/a/credential", in, shows(old)...)
		}
		thief := api.Credential("a", api.NewTokenText(api.TokenWorker))
		w.refused(api.CodeForbidden, "POST", "/v1/workers/a/credential", thief, shows(old)...)
		for _, token := range []string{old, successor} {
			w.want(http.StatusCreated, "POST", "/v1/workers", api.Register{Name: "a", Capacity: 1}, shows(token)...)
		}
		time.Sleep(11 * time.Minute)
		w.refused(api.CodeUnauthorized, "POST", "/v1/workers", api.Register{Name: "a", Capacity: 1}, shows(old)...)
		w.refused(api.CodeUnauthorized, "POST", "/v1/workers/a/credential", in, shows(old)...)
		w.want(http.StatusCreated, "POST", "/v1/workers", api.Register{Name: "a", Capacity: 1}, shows(successor)...)

		// Whichever of the two is revoked, the worker is.
		third := api.NewTokenText(api.TokenWorker)
		w.want(http.StatusOK, "POST", "/v1/workers/a/credential", api.Credential("a", third), shows(successor)...)
		w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+api.TokenID(successor), nil)
		for _, token := range []string{successor, third} {
			w.refused(api.CodeUnauthorized, "POST", "/v1/workers", api.Register{Name: "a", Capacity: 1}, shows(token)...)
		}
	}, admin)
}

func TestOnlyCredentialsAreRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	plain := w.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeWork}})
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers/a/credential", api.Credential("a", api.NewTokenText(api.TokenWorker)), shows(plain.Text)...)
	credential := w.enrol(w.enrolment(), "a")
	w.refused(api.CodeForbidden, "POST", "/v1/workers/b/credential", api.Credential("b", api.NewTokenText(api.TokenWorker)), shows(credential)...)
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers/a/credential", api.Credential("b", api.NewTokenText(api.TokenWorker)), shows(credential)...)
}

// parkWith parks a poll that shows a token.
func (w *world) parkWith(token, worker string) *pending {
	w.t.Helper()
	session := into[api.Registered](w.t, w.want(http.StatusCreated, "POST", "/v1/workers", api.Register{Name: worker, Capacity: 1}, shows(token)...)).Session
	before := w.looks.Load()
	in := api.Poll{Session: session, HoldMS: time.Hour.Milliseconds(), Holding: []api.Held{}}
	p := w.hold(w.request(w.t.Context(), "POST", "/v1/workers/"+worker+"/poll", in, shows(token)...))
	w.eventually("the poll has looked", func() bool { return w.looks.Load() > before })
	return p
}

// A poll that is parked with a token which is revoked is answered, not held on.
func TestRevocationReachesParkedPolls(t *testing.T) {
	t.Parallel()
	hours := func(s *setup) { s.Hold = time.Hour }
	w := newWorld(t, admin, hours)
	credential := w.enrol(w.enrolment(), "a")
	plain := w.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeWork}})
	a, b := w.parkWith(credential, "a"), w.parkWith(plain.Text, "b")
	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+api.TokenID(credential), nil)
	if got := a.await(); got.problem() != api.CodeUnauthorized {
		t.Errorf("the poll of a revoked credential = %d %s", got.status, got.body)
	}
	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+plain.Token.ID, nil)
	if got := b.await(); got.problem() != api.CodeUnauthorized {
		t.Errorf("the poll of a revoked token = %d %s", got.status, got.body)
	}
}

func TestRevocationReachesEveryServer(t *testing.T) {
	storetest.Only(t, storetest.Postgres)
	t.Parallel()
	a := newWorld(t, admin, func(s *setup) { s.Hold = time.Hour })
	b := newWorld(t, admin, func(s *setup) { s.Hold, s.store = time.Hour, a.setup.store })
	credential := a.enrol(a.enrolment(), "w")
	parked := b.parkWith(credential, "w")
	a.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+api.TokenID(credential), nil)
	if got := parked.await(); got.problem() != api.CodeUnauthorized {
		t.Errorf("the poll at the other server = %d %s", got.status, got.body)
	}
	b.refused(api.CodeUnauthorized, "POST", "/v1/workers", api.Register{Name: "w", Capacity: 1}, shows(credential)...)
}

// A token that is revoked while a server looks it up is not remembered as it was.
func TestRevocationDuringALookUp(t *testing.T) {
	storetest.Only(t, storetest.Postgres)
	t.Parallel()
	a := newWorld(t, admin)
	read, goOn := make(chan struct{}), make(chan struct{})
	b := newWorld(t, admin, func(s *setup) {
		s.store = a.setup.store
		s.probe = func(point string) {
			if point == "token.after" { // its use is noted when it has been read
				close(read)
				<-goOn
			}
		}
	})
	issued := a.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeRead}})
	looksUp := b.hold(b.request(t.Context(), "GET", "/v1/queues", nil, shows(issued.Text)...))
	<-read
	a.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+issued.Token.ID, nil)
	for _, cookie := range []string{"first", "second"} { // what b hears of these it hears later
		a.submit(api.Submit{Cookie: cookie})
		s := b.follow(t, cookie, "")
		a.cancel(cookie)
		s.last()
	}
	close(goOn)
	looksUp.await()
	b.refused(api.CodeUnauthorized, "GET", "/v1/queues", nil, shows(issued.Text)...)
}

// What is remembered of a token that was revoked behind the server's back is
// forgotten in less than a hold.
func TestRevocationThatNothingTellsOf(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		issued := w.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeRead}})
		w.want(http.StatusOK, "GET", "/v1/queues", nil, shows(issued.Text)...)
		if _, err := w.store.RevokeToken(context.Background(), w.store.Now(), issued.Token.ID, "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(w.setup.Hold)
		w.refused(api.CodeUnauthorized, "GET", "/v1/queues", nil, shows(issued.Text)...)
	}, admin)
}

// Revoking ends a stream of events, which nothing else would.
func TestRevocationEndsStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, admin)
	issued := w.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeRead}})
	w.submit(api.Submit{Cookie: "r"})
	stream, err := w.client.Do(w.request(t.Context(), "GET", "/v1/runs/r/events", nil, shows(issued.Text)...))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+issued.Token.ID, nil)
	var rest bytes.Buffer
	if _, err := rest.ReadFrom(stream.Body); err != nil { // to its end
		t.Errorf("the stream ended with %v after %q", err, rest.String())
	}
}

// The tokens of the settings are replaced while the server runs.
func TestSetTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "root", "old", "new"); s.Tokens, s.Hold = s.Tokens[:2], time.Hour })
	parked := w.parkWith(secretOf("old"), "w")
	w.refused(api.CodeUnauthorized, "GET", "/v1/queues", nil, shows(secretOf("new"))...)
	if err := w.SetTokens([]server.Token{server.NewToken("root", secretOf("root"), server.ScopeAdmin), server.NewToken("old", secretOf("new"), server.ScopeAdmin)}); err != nil {
		t.Fatal(err)
	}
	if got := parked.await(); got.problem() != api.CodeUnauthorized {
		t.Errorf("the poll of a token that is replaced = %d %s", got.status, got.body)
	}
	w.want(http.StatusOK, "GET", "/v1/queues", nil, shows(secretOf("new"))...)
	if err := w.SetTokens(nil); err == nil {
		t.Error("a server loses its last token, and everybody is let in")
	}
	w.want(http.StatusOK, "GET", "/v1/queues", nil)
}

// A server without tokens lets everybody in, but holds those it has issued to
// what they are.
func TestIssuedTokensOfAnOpenServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued := w.issue(api.NewToken{Name: "t", Scopes: []api.Scope{api.ScopeRead}})
	w.refused(api.CodeForbidden, "GET", "/v1/tokens", nil, shows(issued.Text)...)
	w.want(http.StatusNoContent, "DELETE", "/v1/tokens/"+issued.Token.ID, nil)
	w.refused(api.CodeUnauthorized, "GET", "/v1/queues", nil, shows(issued.Text)...)
	w.want(http.StatusOK, "GET", "/v1/queues", nil, shows("anything")...)
}
