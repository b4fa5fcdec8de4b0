package store

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

var scriptStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var eventNames = map[string]eventKind{
	"offer": evOffer, "reoffer": evReoffer, "accept": evAccept, "adopt": evAdopt, "claim": evClaim,
	"finish": evFinish, "release": evRelease, "expire": evExpire, "cancel": evCancel, "due": evDue, "resume": evResume,
	"grant": evGrant, "return": evReturn, "tell": evTell, "heed": evHeed,
}

// TestScripts plays the conversations in testdata/state. A line is an event,
// perhaps after a wait, and what it makes of the run.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/state/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := player{timing: DefaultTiming()}
			for i, line := range strings.Split(string(text), "\n") {
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				if err := p.play(line); err != nil {
					t.Fatalf("%s:%d: %s: %v", file, i+1, line, err)
				}
			}
		})
	}
}

// player keeps the run of a script between its lines.
type player struct {
	run    Run
	now    time.Time
	timing Timing
}

func (p *player) play(line string) error {
	said, want, ok := strings.Cut(line, "->")
	if !ok {
		return fmt.Errorf("no ->")
	}
	words := strings.Fields(said)
	if wait, ok := strings.CutPrefix(words[0], "+"); ok {
		d, err := time.ParseDuration(wait)
		if err != nil {
			return err
		}
		p.now = p.now.Add(d)
		words = words[1:]
	}
	if words[0] == "submit" {
		return p.submit(words[1:], strings.Fields(want))
	}
	kind, ok := eventNames[words[0]]
	if !ok {
		return fmt.Errorf("unknown event")
	}
	e := event{kind: kind, worker: "w", session: "s", fence: p.run.Fence, by: "somebody"}
	if kind == evAdopt {
		e.session = "s2"
	}
	for _, word := range words[1:] {
		if fence, ok := strings.CutPrefix(word, "fence="); ok {
			n, err := strconv.ParseInt(fence, 10, 64)
			if err != nil {
				return err
			}
			e.fence = n
		} else if held, ok := strings.CutPrefix(word, "held="); ok {
			n, err := strconv.Atoi(held)
			if err != nil {
				return err
			}
			e.held = n
		} else if stop, ok := strings.CutPrefix(word, "stop="); ok {
			e.stop = Stop(stop)
		} else {
			e.rc = word
		}
	}
	after, ended, changed := next(p.run, e, p.now, p.timing)
	p.run = after
	return p.compare(strings.Fields(want), ended, changed)
}

func (p *player) submit(options, want []string) error {
	n := NewRun{Cookie: "c", Queue: "q", MaxAttempts: 3}
	p.now = scriptStart
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		var err error
		var d time.Duration
		switch name {
		case "max_attempts":
			n.MaxAttempts, err = strconv.Atoi(value)
		case "delivery":
			n.Delivery = AtMostOnce
		case "not_before":
			d, err = time.ParseDuration(value)
			n.NotBefore = p.now.Add(d)
		case "retry":
			n.Retry = Retry{Backoff: time.Minute, MaxBackoff: 3 * time.Minute, On: []string{"EXCEPTION", rcTimeout}}
			n.Retry.Max, err = strconv.Atoi(value)
		case "limit":
			n.Concurrency.Key = "k"
			n.Concurrency.Limit, err = strconv.Atoi(value)
		case "queue_timeout":
			n.QueueTimeout, err = time.ParseDuration(value)
		case "run_timeout":
			n.RunTimeout, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("unknown option %q", name)
		}
		if err != nil {
			return err
		}
	}
	p.run = start(n, p.now)
	return p.compare(want, nil, true)
}

// halves is the longest backoff, in half minutes or seconds, that may have been
// shortened to d.
func halves(d time.Duration) time.Duration {
	for _, longest := range []time.Duration{time.Second, 2 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute} {
		if d >= longest/2 && d <= longest {
			return longest
		}
	}
	return d
}

// compare checks the wanted facts, of which the first is the state.
func (p *player) compare(want []string, ended *Attempt, changed bool) error {
	if !changed {
		if len(want) == 1 && want[0] == "ignored" {
			return nil
		}
		return fmt.Errorf("was ignored in %v", p.run.State)
	}
	got := map[string]string{
		"fence":    fmt.Sprint(p.run.Fence),
		"attempts": fmt.Sprint(p.run.Attempts),
		"rc":       p.run.RC,
		"due":      "never",
		"ended":    "none",
		"claimed":  "no",
		"blocked":  "no",
		"told":     "no",
		"heeded":   "no",
		"stop":     string(p.run.Stop),
	}
	if !p.run.CancelToldAt.IsZero() {
		got["told"] = p.run.CancelToldAt.Sub(p.run.CancelAt).String()
	}
	if !p.run.CancelHeededAt.IsZero() {
		got["heeded"] = p.run.CancelHeededAt.Sub(p.run.CancelAt).String()
	}
	if p.run.Retries > 0 {
		got["retries"] = fmt.Sprint(p.run.Retries)
	}
	if p.run.Blocked {
		got["blocked"] = "yes"
	}
	if !p.run.Due.IsZero() {
		got["due"] = p.run.Due.Sub(p.now).String()
		got["wait"] = halves(p.run.Due.Sub(p.now)).String()
	}
	if ended != nil {
		got["ended"] = string(ended.Outcome)
	}
	if !p.run.ClaimedAt.IsZero() {
		got["claimed"] = "yes"
	}
	if want[0] != p.run.State.String() {
		return fmt.Errorf("is %v", p.run.State)
	}
	for _, fact := range want[1:] {
		name, value, _ := strings.Cut(fact, "=")
		if (name == "due" || name == "wait") && value != "never" {
			d, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			value = d.String()
		}
		if have, ok := got[name]; !ok || have != value {
			return fmt.Errorf("%s is %q, want %q", name, have, value)
		}
	}
	return nil
}

// everyRun returns runs in every state with every combination of what the state
// machine looks at.
func everyRun() []Run {
	var runs []Run
	at := func(yes bool) time.Time {
		if yes {
			return scriptStart
		}
		return time.Time{}
	}
	for state := Scheduled; state <= Dead; state++ {
		for bits := range 1 << 9 {
			on := func(i int) bool { return bits&(1<<i) != 0 }
			r := Run{NewRun: NewRun{MaxAttempts: 2}, State: state, Attempts: 1, SubmittedAt: scriptStart}
			r.QueuedAt = at(state != Scheduled)
			r.CancelAt = at(on(0) && state != Scheduled && state != Queued)
			r.Due = at(on(1))
			if on(2) {
				r.RunTimeout, r.QueueTimeout = time.Minute, time.Minute
			}
			if on(3) {
				r.Delivery = AtMostOnce
			}
			if on(4) {
				r.Attempts = r.MaxAttempts
			}
			r.Fence = 7
			if state.Leased() {
				r.Worker, r.Session, r.OfferedAt = "w", "s", scriptStart
			}
			if state == Running {
				r.AcceptedAt, r.ClaimedAt = scriptStart, at(on(5) && on(3))
			}
			if on(6) {
				r.NotBefore = scriptStart.Add(time.Hour)
			}
			if on(7) {
				r.Concurrency = Concurrency{Key: "k", Limit: 1}
				r.Blocked = state == Queued && on(0)
			}
			if on(8) {
				r.Retry = Retry{Max: 1, On: []string{"EXCEPTION", rcTimeout}}
				r.Retries = r.Attempts - 1
			}
			runs = append(runs, r)
		}
	}
	return runs
}

// everyEvent returns each event: a worker's with the fence of everyRun and with
// others, a result with every code.
func everyEvent() []event {
	var events []event
	for _, kind := range eventNames {
		fences, codes := []int64{7}, []string{""}
		if kind.fenced() {
			fences = []int64{6, 7, 8}
		}
		if kind == evFinish {
			codes = []string{rcOK, rcCancelled, rcTimeout, "EXCEPTION"}
		}
		for _, fence := range fences {
			for _, rc := range codes {
				events = append(events, event{kind: kind, fence: fence, rc: rc, worker: "w2", session: "s2", span: "x"})
			}
		}
	}
	return events
}

// TestInvariants holds what must be true of any move over all states and events.
func TestInvariants(t *testing.T) {
	t.Parallel()
	moves := 0
	for _, r := range everyRun() {
		for _, e := range everyEvent() {
			for _, wait := range []time.Duration{0, time.Minute, time.Hour} {
				now := scriptStart.Add(wait)
				after, ended, changed := next(r, e, now, DefaultTiming())
				if changed {
					moves++
				}
				if broken := brokenRule(r, after, ended, e, changed); broken != "" {
					t.Fatalf("%s:\nevent %+v at +%v\nbefore %+v\nafter  %+v\nended %+v", broken, e, wait, r, after, ended)
				}
			}
		}
	}
	if moves < 1000 {
		t.Errorf("only %d moves were checked", moves)
	}
}

func brokenRule(r, after Run, ended *Attempt, e event, changed bool) string {
	requeued := r.State.Leased() && (after.State == Queued || after.State == Scheduled)
	keyed := r.Concurrency.Key != ""
	switch {
	case !changed && !reflect.DeepEqual(after, r):
		return "says unchanged and is not"
	case r.State.Terminal() && changed:
		return "a terminal run changes"
	case after.Fence < r.Fence:
		return "the fence falls"
	case (after.Fence > r.Fence) != (changed && (e.kind == evOffer || e.kind == evReturn)):
		return "the fence rises other than by an offer"
	case after.Fence > r.Fence+1:
		return "the fence jumps"
	case e.kind.fenced() && e.fence != r.Fence && changed:
		return "a wrong fence has an effect"
	case e.kind.fenced() && !r.State.Leased() && changed:
		return "a worker without a lease has an effect"
	case after.State.Terminal() != !after.FinishedAt.IsZero() && !r.State.Terminal():
		return "the end has no time, or the time no end"
	case changed && after.State.Terminal() != (after.RC != ""):
		return "the end has no result code, or the code no end"
	case !r.CancelAt.IsZero() && (after.State == Queued || after.State == Scheduled) && r.State.Leased():
		return "a cancelled run is queued again"
	case !r.CancelAt.IsZero() && after.CancelAt != r.CancelAt:
		return "the cancellation changes"
	case requeued && !r.ClaimedAt.IsZero():
		return "an at-most-once run is queued after its claim"
	case requeued && (after.Worker != "" || after.Session != "" || !after.AcceptedAt.IsZero()):
		return "a queued run has a worker"
	case requeued && e.kind == evExpire && r.State == Running && r.Attempts-after.Retries >= r.MaxAttempts:
		return "a run is queued beyond its attempts"
	case after.Blocked && (!keyed || after.State != Queued):
		return "a run waits for a slot that it does not need"
	case changed && (e.kind == evOffer || e.kind == evReturn) && r.Blocked:
		return "a run without a slot is offered"
	case changed && keyed && r.State == Scheduled && after.State == Queued && !after.Blocked:
		return "a run takes a slot without being given one"
	case after.Retries != r.Retries && (after.Retries != r.Retries+1 || after.State != Scheduled || r.Retries >= r.Retry.Max):
		return "a retry is counted that there is not"
	case changed && after.State == Scheduled && after.Due.IsZero():
		return "a run is put back for ever"
	case requeued && after.Blocked:
		return "a run loses its slot to a lost worker"
	case after.Attempts > r.Attempts+1 || after.Attempts < r.Attempts-1:
		return "attempts jump"
	case after.Attempts < r.Attempts && e.kind != evRelease:
		return "an attempt is forgiven"
	case ended != nil && (!r.State.Leased() || after.State.Leased()):
		return "an attempt ends and the lease does not"
	case r.State == Running && !after.State.Leased() && ended == nil:
		return "a lease ends without an attempt"
	case changed && after.State.Terminal() && !after.Due.IsZero():
		return "a run that has ended is due"
	case changed && after.State == Offered && after.Due.IsZero():
		return "an offer never lapses"
	case changed && after.State == Running && !after.CancelAt.IsZero() && after.Due.IsZero():
		return "a cancellation never ends"
	}
	return ""
}

// TestStateNames holds that every state has a name that can be read back.
func TestStateNames(t *testing.T) {
	t.Parallel()
	for s := Scheduled; s <= Dead; s++ {
		if got, err := ParseState(s.String()); got != s || err != nil {
			t.Errorf("ParseState(%q) = %v, %v", s.String(), got, err)
		}
	}
	if _, err := ParseState("queued"); err == nil {
		t.Error("ParseState accepts lower case")
	}
}
