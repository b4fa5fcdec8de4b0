package outbox_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/manager/outbox"
)

const crashDir = "OUTBOX_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fillUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// fillUntilKilled puts and judges, and says what it did, until it is killed.
func fillUntilKilled(dir string) {
	o, err := outbox.Open(outbox.Config{Dir: dir, Max: noLimit}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex // of standard output
	say := func(what, cookie string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, cookie)
	}
	for _, e := range o.Entries() {
		say("found", e.Result.Cookie)
	}
	say("ready", "")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				cookie := fmt.Sprintf("c%d", rand.Uint64())
				if err := o.Put(entry(cookie, `"`+strings.Repeat("x", rand.IntN(10_000))+`"`)); err != nil {
					panic(err)
				}
				say("kept", cookie)
				if rand.IntN(10) > 0 {
					say("judged", cookie)
					o.Judged(key(cookie))
				}
			}
		})
	}
	all.Wait()
}

func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := make(map[string]bool) // and not judged
	for round := range 20 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var found []string
		puts, enough := 0, 1+rand.IntN(100)
		for s := bufio.NewScanner(out); s.Scan(); {
			what, cookie, whole := strings.Cut(s.Text(), " ")
			switch {
			case !whole:
			case what == "found":
				found = append(found, cookie)
			case what == "ready":
				for cookie := range kept {
					if !slices.Contains(found, cookie) {
						t.Errorf("round %d: %s was kept and is gone", round, cookie)
					}
				}
			case what == "kept":
				kept[cookie] = true
				if puts++; puts == enough {
					_ = cmd.Process.Kill() // and what it has said since is read
				}
			case what == "judged":
				delete(kept, cookie)
			}
		}
		_ = cmd.Wait() // it was killed
		if puts < enough {
			t.Fatalf("round %d: it ended by itself after %d results", round, puts)
		}
	}
	if got := damaged(t, dir); len(got) > 0 {
		t.Errorf("set aside %q, want nothing: a killed process damages nothing", got)
	}
}
