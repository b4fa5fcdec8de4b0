package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// line is what a line says, without its time.
func line(text string) string {
	_, said, _ := strings.Cut(text, " ")
	return said
}

// texts are the lines of an output, without their times.
func texts(out string) (said []string) {
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		said = append(said, line(s.Text()))
	}
	return said
}

// chatty submits a run that logs lines and waits at the gate, if there is one.
func (s *site) chatty(cookie string, lines int, g *gate) {
	s.t.Helper()
	url := ""
	if g != nil {
		url = g.URL + "/" + cookie
	}
	s.submit(api.Submit{Cookie: cookie, Pipeline: "chatty", Variables: fmt.Appendf(nil, `{"who":"Ada","lines":%d,"url":%q}`, lines, url)})
}

func TestLogsShowsWhatARunLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w")
	s.chatty("c", 3, nil)
	code, out, log := call(t, s.env, "logs", "-f", "c")
	if code != exitDone || !strings.Contains(log, "chatty SUCCEEDED") {
		t.Errorf("logs -f = %d\n%s", code, log)
	}
	want := []string{"WARN greet: hello Ada", "print: line 0", "print: line 1", "print: line 2", "bye: bye"}
	if got := texts(out); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("logs -f printed\n%s", out)
	}
	if _, again, _ := call(t, s.env, "logs", "c"); again != out {
		t.Errorf("logs printed\n%s\nwhere logs -f had printed\n%s", again, out)
	}
	if _, out, _ := call(t, s.env, "logs", "c", "--tail", "2"); strings.Join(texts(out), "|") != strings.Join(want[3:], "|") {
		t.Errorf("logs --tail 2 printed\n%s", out)
	}
	if _, out, _ := call(t, s.env, "logs", "c", "--since", time.Now().Add(time.Hour).Format(time.RFC3339)); out != "" {
		t.Errorf("logs --since an hour from now printed\n%s", out)
	}
	_, out, _ = call(t, s.env, "logs", "c", "--tail", "1", "--output", "json")
	if e := decode[api.Event](t, out); e.N == 0 || !strings.Contains(string(e.Data), `"text":"bye"`) {
		t.Errorf("logs --output json printed %s", out)
	}
	for _, args := range [][]string{{"logs"}, {"logs", "c", "--tail", "1001"}, {"logs", "c", "--since", "noon"}, {"logs", "c", "--output", "xml"}} {
		if code, _, _ := call(t, s.env, args...); code != exitUsage {
			t.Errorf("%s = %d, want %d", strings.Join(args, " "), code, exitUsage)
		}
	}
	if code, _, _ := call(t, s.env, "logs", "-f", "none"); code != exitNotFound {
		t.Errorf("logs -f of no run = %d, want %d", code, exitNotFound)
	}
	s.submit(api.Submit{Cookie: "bad", Pipeline: "boom"})
	if code, _, _ := call(t, s.env, "logs", "-f", "bad"); code != exitFailed {
		t.Errorf("logs -f of a run that fails = %d, want %d", code, exitFailed)
	}
}

// Whoever follows a run sees each line once, though the server is killed and
// comes back; and a run's output is bounded, with what was dropped counted.
func TestLogsFollowsThroughAServerThatIsKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	s.worker("w")
	g := newGate(t)
	s.chatty("c", 200, g)
	g.waits(t, 1)
	seen := make(chan api.Event, 1_000)
	watching := make(chan error, 1)
	go func() {
		_, err := s.client.Watch(t.Context(), "c", client.Watch{Event: func(e api.Event) { seen <- e }})
		watching <- err
	}()
	follow := start(t, s.env, "logs", "-f", "c")
	for range 201 { // they are all there
		select {
		case <-seen:
		case <-time.After(patience):
			t.Fatal("the lines did not come")
		}
	}
	server.kill()
	s.server()
	g.letGo()
	if code := follow.ends(); code != exitDone {
		t.Errorf("logs -f = %d", code)
	}
	got := texts(follow.out.String())
	if len(got) != 202 || got[0] != "WARN greet: hello Ada" || got[201] != "bye: bye" {
		t.Fatalf("logs -f printed %d lines, want 202 from the first to the last:\n%s", len(got), follow.out.String())
	}
	for i, text := range got[1:201] {
		if text != fmt.Sprintf("print: line %d", i) {
			t.Fatalf("line %d is %q", i, text)
		}
	}
	if err := <-watching; err != nil {
		t.Errorf("Watch() = %v", err)
	}
}

// A run that logs more than is kept ends, and its reader is told how many of its
// lines are not there.
func TestARunThatLogsTooMuchIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w")
	lines := 20_000
	if os.Getenv("PULLRUN_TEST_LONG") != "" {
		lines = 100_000
	}
	s.chatty("c", lines, nil)
	total := 0
	last := ""
	run, err := s.client.Watch(t.Context(), "c", client.Watch{Event: func(e api.Event) {
		total += 1 + int(e.Dropped)
		last = string(e.Data)
	}})
	if err != nil || run.State != api.StateSucceeded || total != lines+2 || !strings.Contains(last, `"bye"`) {
		t.Errorf("%s with %d lines with those that were dropped, the last %s, %v; want %d and the last one", run.State, total, last, err, lines+2)
	}
	_, out, _ := call(t, s.env, "logs", "c")
	if n := strings.Count(out, "\n"); n > 10_100 || !strings.Contains(out, "lines were dropped here]") {
		t.Errorf("logs printed %d lines, and should say that some were dropped", n)
	}
}

// A worker that cannot post events posts its result all the same, and ends.
func TestEventsAreInNoResultsWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	w := s.worker("w", "--outbox-dir", t.TempDir())
	g := newGate(t)
	s.chatty("c", 100, g)
	g.waits(t, 1)
	server.kill()
	g.letGo()
	w.says(`"msg":"run ended"`)
	s.server()
	if run := s.ended("c", api.StateSucceeded); run.Attempt != 1 {
		t.Errorf("the run took %d attempts", run.Attempt)
	}
	w.signal(syscall.SIGTERM)
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d", code)
	}
}

func TestRunSaysHowItGetsOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	g := newGate(t)
	p := start(t, s.env, "run", "hang", "--set", "url="+g.URL, "--cookie", "c")
	p.says("hang queued ")
	s.worker("w")
	g.waits(t, 1)
	p.says(" on w · ")
	code, out, _ := call(t, s.env, "runs", "c")
	if code != exitDone || !strings.Contains(out, "\nat ") {
		t.Errorf("runs does not say where the run is:\n%s", out)
	}
	g.letGo()
	if code := p.ends(); code != exitDone {
		t.Errorf("run = %d", code)
	}
	if code, out, _ := call(t, s.env, "run", "nothing"); code != exitDone || out != "null\n" {
		t.Errorf("run = %d and prints %q, want the result and nothing else", code, out)
	}
	if code, _, _ := call(t, s.env, "run", "nothing", "--progress", "loud"); code != exitUsage {
		t.Errorf("run --progress loud = %d, want %d", code, exitUsage)
	}
}
