package store_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// crashEnv names the database for a test binary that runs as the victim.
const crashEnv = "STORE_CRASH_DB"

// TestKilledProcessLosesNothing kills a process under load, several times on the
// same file, and looks for everything that it had acknowledged.
func TestKilledProcessLosesNothing(t *testing.T) {
	if url := os.Getenv(crashEnv); url != "" {
		victim(t, url)
		return
	}
	t.Parallel()
	w := newWorld(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	for round := range 3 {
		lines := killed(t, w.url, fmt.Sprint(round), 300)
		for _, line := range lines {
			acknowledged[line] = true
		}
	}
	w.open()
	submits, results := 0, 0
	for line := range acknowledged {
		what, cookie, _ := strings.Cut(line, " ")
		r := w.get(cookie)
		switch what {
		case "submit":
			submits++
		case "result":
			results++
			if r.State != store.Succeeded || string(r.Result) != `"`+cookie+`"` {
				t.Errorf("run %s is %v with result %s", cookie, r.State, r.Result)
			}
		}
	}
	if submits < 100 || results < 100 {
		t.Errorf("%d submits and %d results were acknowledged, want hundreds", submits, results)
	}
	if err := w.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v", err)
	}
}

// killed runs the victim, kills it after it has acknowledged n operations, and
// returns all it acknowledged.
func killed(t *testing.T, url, round string, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLosesNothing$")
	cmd.Env = append(os.Environ(), crashEnv+"="+url, "STORE_CRASH_ROUND="+round)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if what := strings.TrimSpace(line); strings.HasPrefix(what, "submit ") || strings.HasPrefix(what, "result ") {
			lines = append(lines, what)
		}
		if len(lines) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(lines) < n {
		t.Fatalf("the victim ended after %d operations", len(lines))
	}
	return lines
}

// victim submits and finishes runs for ever and prints each acknowledgement.
func victim(t *testing.T, url string) {
	s, err := store.Open(t.Context(), url, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	say := func(what, cookie string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(os.Stdout, what, cookie)
	}
	w := &world{Store: s, t: t, now: t0}
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				cookie := fmt.Sprint(os.Getenv("STORE_CRASH_ROUND"), "-", c, "-", i)
				w.submit(cookie)
				say("submit", cookie)
			}
		})
	}
	for c := range 2 {
		name := fmt.Sprint("w", c)
		w.register(name, 10)
		wg.Go(func() {
			for {
				for _, o := range w.poll(name).Offers {
					cookie := o.Run.Cookie
					if w.finish(store.Result{Cookie: cookie, Fence: o.Run.Fence, Worker: name, RC: "OK", Result: []byte(`"` + cookie + `"`)}) == store.Accepted {
						say("result", cookie)
					}
				}
				time.Sleep(time.Millisecond) // leaves the submitters their share
			}
		})
	}
	wg.Wait()
}
