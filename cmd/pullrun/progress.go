package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// The ways to show how a run that is waited for gets on.
const (
	progressAuto  = "auto"  // live on a terminal, plain elsewhere
	progressPlain = "plain" // lines, not too many of them
	progressNone  = "none"
)

// progressEvery is how often the live line is drawn, plainEvery how often a line
// is written of a run that has got on within a task, and explainEvery how often
// the server is asked why a run waits.
const (
	progressEvery = 100 * time.Millisecond
	plainEvery    = 3 * time.Second
	explainEvery  = 2 * time.Second
)

// progress says how a run that is waited for gets on: in one line that is kept
// up to date, in lines, or not at all. Of a run that is over in a moment there is
// no line.
type progress struct {
	t     terminal
	live  bool
	plain bool
	stop  context.CancelFunc
	loops sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	view sight
	said sight // as view was when the last plain line was written
}

// newProgress starts to show how a run gets on, until clear is called.
func newProgress(ctx context.Context, t terminal, how string, c *client.Client, run api.Run) *progress {
	live := how == progressAuto && t.interactive() && os.Getenv("TERM") != "dumb"
	p := &progress{
		t: t, live: live, plain: !live && how != progressNone,
		view: sight{run: run, began: time.Now()},
	}
	ctx, p.stop = context.WithCancel(ctx)
	if p.live {
		p.loops.Go(func() { every(ctx, progressEvery, p.draw) })
	}
	if p.plain {
		p.loops.Go(func() { every(ctx, plainEvery, p.tick) })
	}
	if p.shown() {
		p.loops.Go(func() { every(ctx, explainEvery, func() { p.explain(ctx, c) }) })
	}
	return p
}

// shown reports whether anything is said at all.
func (p *progress) shown() bool { return p.live || p.plain }

// every calls f time and again until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// watch is what of the run has to be seen for this.
func (p *progress) watch() client.Watch {
	w := client.Watch{State: func(run api.Run) { p.see(func(s *sight) { s.state(run) }) }}
	if p.shown() {
		w.Progress = func(at api.Progress) { p.see(func(s *sight) { s.at, s.heard = at, time.Now() }) }
	}
	return w
}

// explain asks why the run waits, if it does.
func (p *progress) explain(ctx context.Context, c *client.Client) {
	p.mu.Lock()
	cookie, waits := p.view.run.Cookie, p.view.waits()
	p.mu.Unlock()
	if !waits {
		return
	}
	run, err := c.Get(ctx, cookie, 0)
	if err != nil || run.Waiting == nil {
		return // the stream says what there is to say
	}
	p.see(func(s *sight) {
		if s.waits() {
			s.why = run.Waiting.Message
		}
	})
}

// see notes what is known now. That another task is at work is worth a line at once.
func (p *progress) see(what func(*sight)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what(&p.view)
	if len(p.view.at.Tasks) > 0 && p.view.tasks() != p.said.tasks() {
		p.say()
	}
}

// tick writes a line about anything else that is new.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.view.place() != p.said.place() {
		p.say()
	}
}

// say writes a line, where that is the way. It is called with mu held.
func (p *progress) say() {
	if p.said = p.view; p.plain {
		now := time.Now()
		fmt.Fprintf(p.t.err, "%s %s\n", now.Format(time.TimeOnly), printable(p.view.text(now)))
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	width := 80
	if f, ok := p.t.err.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			width = columns
		}
	}
	fmt.Fprintf(p.t.err, "\r\x1b[K%s", p.view.line(time.Now(), width-1))
}

// clear ends it, and takes the live line away.
func (p *progress) clear() {
	p.stop()
	p.loops.Wait()
	if p.live {
		fmt.Fprint(p.t.err, "\r\x1b[K")
	}
}

// sight is what is known of a run that is waited for.
type sight struct {
	run   api.Run
	began time.Time
	why   string       // it waits
	at    api.Progress // where it is; no tasks while that is not known
	heard time.Time    // when that was
}

// state notes that the run is in a state. What was known of where it is, or why
// it waits, is of the state before.
func (s *sight) state(run api.Run) {
	s.run, s.why, s.at = run, "", api.Progress{}
}

func (s *sight) waits() bool {
	switch s.run.State {
	case api.StateScheduled, api.StateQueued, api.StateOffered:
		return true
	}
	return false
}

// line is all of it, in so many columns.
func (s *sight) line(now time.Time, columns int) string { return fit(s.text(now), columns) }

// text is all of it.
func (s *sight) text(now time.Time) string {
	text := fmt.Sprintf("%s %s %s%s", s.run.Pipeline, strings.ToLower(string(s.run.State)), took(now.Sub(s.began).Truncate(progressEvery)), s.where())
	if tasks := s.at.Tasks; len(tasks) > 0 {
		// By the worker's clock until then, and by ours since.
		since := s.at.At.Sub(tasks[len(tasks)-1].Since) + now.Sub(s.heard)
		text += fmt.Sprintf(" · %s %s", s.at.Path(), took(since.Truncate(progressEvery)))
	} else if s.why != "" {
		text += " · " + s.why
	}
	return text
}

// place is all of it but the times.
func (s *sight) place() string {
	return string(s.run.State) + s.where() + cmp.Or(s.at.Path(), s.why)
}

// tasks are the tasks at work, whatever the turns of their loops.
func (s *sight) tasks() string {
	var names []string
	for _, t := range s.at.Tasks {
		names = append(names, t.Label())
	}
	return s.where() + strings.Join(names, " > ")
}

// where says which worker has the run, and for the how many-th time.
func (s *sight) where() (text string) {
	if s.run.Worker != "" {
		text += " on " + s.run.Worker
	}
	if s.run.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d of %d", s.run.Attempt, mostAttempts(s.run))
	}
	return text
}
