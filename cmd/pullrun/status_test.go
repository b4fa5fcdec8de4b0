package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// statusAddr is where a worker says that it serves how it stands.
func (p *process) statusAddr() string {
	p.t.Helper()
	p.says(`"msg":"status is served"`)
	for line := range strings.SplitSeq(p.log(), "\n") {
		var said struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "status is served" {
			return said.Addr
		}
	}
	panic("says has found it")
}

// ask reads one of the worker's addresses.
func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: patience}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// answers asks again until the answer is as wanted.
func answers(t *testing.T, url string, wanted func(code int, body string) bool) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		code, body := ask(t, url)
		if wanted(code, body) {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET %s = %d\n%s", url, code, body)
		}
	}
}

func TestAWorkerShowsHowItStands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	srv := s.server()
	w := s.worker("w1", "--listen", "127.0.0.1:0")
	base := "http://" + w.statusAddr()
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("x")})
	g.waits(t, 1)

	code, out, log := call(t, nil, "status", "--addr", strings.TrimPrefix(base, "http://"), "--output", "json")
	if code != 0 {
		t.Fatalf("pullrun status = %d\n%s", code, log)
	}
	got := decode[[]api.WorkerStatus](t, out)
	if len(got) != 1 || len(got[0].Runs) != 1 || len(got[0].Runs[0].Tasks) == 0 {
		t.Fatalf("pullrun status shows no run that is under way:\n%s", out)
	}
	if w, r := got[0], got[0].Runs[0]; !w.Ready || w.Worker != "w1" || w.Slots.Used != 1 || r.Cookie != run.Cookie || r.State != api.HandRunning || r.Tasks[len(r.Tasks)-1].Chip != "http.http_request" {
		t.Errorf("pullrun status =\n%s", out)
	}
	_, out, _ = call(t, nil, "status", "--addr", strings.TrimPrefix(base, "http://"))
	for _, want := range []string{"w1 · ready · 1 of ", run.Cookie + " hang running", "(http.http_request)"} {
		if !strings.Contains(out, want) {
			t.Errorf("pullrun status does not show %q:\n%s", want, out)
		}
	}
	_, metrics := ask(t, base+"/metrics")
	for _, want := range []string{
		"pullrun_worker_slots_used{} 1", `pullrun_worker_runs{pullrun_run_state="running"} 1`, `pullrun_worker_polls_total{pullrun_poll_outcome="runs"}`,
		"pullrun_worker_contact_age_seconds", "pullrun_worker_poll_hold_seconds", "pullrun_outbox_size_bytes", "go_goroutines",
	} {
		if !strings.Contains(strings.ReplaceAll(metrics, "_used 1", "_used{} 1"), want) {
			t.Errorf("the metrics have no %s:\n%s", want, metrics)
		}
	}

	// The server goes away: alive, and not ready once it has been silent for long
	// enough (its renew is 5s, its hold 25s, so that is after 35s).
	srv.kill()
	if code, body := ask(t, base+"/livez"); code != 200 {
		t.Errorf("/livez without the server = %d %s", code, body)
	}
	s.server()
	w.signal(syscall.SIGTERM)
	answers(t, base+"/readyz", func(code int, body string) bool {
		return code == 503 && strings.Contains(body, "draining")
	})
	g.letGo()
	s.ended(run.Cookie, api.StateSucceeded)
	if code := w.ends(); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
}

// A worker whose server was never there is not ready, and alive.
func TestAWorkerWithoutAServerIsNotReady(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PULLRUN_SERVER_URL=http://127.0.0.1:1"}, "worker", "--name", "alone", "--listen", "127.0.0.1:0", "--log-format", "json", "--outbox-dir", t.TempDir(), pipelinesDir(t))
	base := "http://" + p.statusAddr()
	if code, body := ask(t, base+"/readyz"); code != 503 || !strings.Contains(body, "not registered") {
		t.Errorf("/readyz = %d %s", code, body)
	}
	if code, body := ask(t, base+"/livez"); code != 200 {
		t.Errorf("/livez = %d %s", code, body)
	}
}

// Workers of one machine find a port each.
func TestWorkersOfAMachineDoNotClash(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	addrs := map[string]bool{}
	for i := range 2 {
		addrs[s.worker(fmt.Sprint("w", i), "--listen", "auto").statusAddr()] = true
	}
	if len(addrs) != 2 {
		t.Errorf("two workers serve at %v", addrs)
	}
	code, out, _ := call(t, nil, "status", "--output", "json")
	if code != 0 || !strings.Contains(out, `"w0"`) || !strings.Contains(out, `"w1"`) {
		t.Errorf("pullrun status = %d, want both workers:\n%s", code, out)
	}
}
