// Package credential keeps a worker's credential: the token that is good for this
// worker alone, which it got for an enrolment and replaces by itself.
//
// The one idea: the worker draws its credentials, and has each on its disk before
// the server hears of it. An exchange whose answer was lost, or which the process
// did not outlive, is made once more with the same credential and has the same
// outcome. So nothing has to be entered twice, and an enrolment that is worth
// nothing to anybody else may be.
//
// A [Keeper] does nothing by itself but in [Keeper.Run], which replaces the
// credential in time until its context ends.
package credential

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// A Server is what the keeper calls. [client.Client] is one.
type Server interface {
	RotateCredential(ctx context.Context, in api.NewCredential) (api.Enrolled, error)
}

// An Enroller takes an enrolment. [client.Client] with that as its token is one.
type Enroller interface {
	Enrol(ctx context.Context, in api.NewCredential) (api.Enrolled, error)
}

// Config says whose credential it is.
type Config struct {
	// File holds the credential. It is readable by its owner alone, and must be.
	File string
	// Worker is the name that the credential is good for.
	Worker string
	// Learnt is told each credential before it is used, so that it is hidden in
	// what the worker shows. May be nil.
	Learnt func(secret string)
	// RetryMin and RetryMax bound the wait after a failed call: full jitter,
	// doubling. Zero is 200 ms and 30 s.
	RetryMin, RetryMax time.Duration
}

// A Keeper keeps one worker's credential. Its methods may be called concurrently.
type Keeper struct {
	cfg Config
	log *slog.Logger

	mu    sync.Mutex
	state state // guarded by mu
}

// Open reads the credential, if there is one.
func Open(cfg Config, log *slog.Logger) (*Keeper, error) {
	if cfg.Learnt == nil {
		cfg.Learnt = func(string) {}
	}
	if cfg.RetryMin <= 0 {
		cfg.RetryMin = 200 * time.Millisecond
	}
	if cfg.RetryMax <= 0 {
		cfg.RetryMax = 30 * time.Second
	}
	k := &Keeper{cfg: cfg, log: log.With("component", "credential")}
	var err error
	if k.state, err = load(cfg.File, cfg.Worker); err != nil {
		return nil, err
	}
	for _, secret := range []string{k.state.Token, k.state.Next} {
		if secret != "" {
			cfg.Learnt(secret)
		}
	}
	return k, nil
}

// Token is the credential now, or "" if there is none yet.
func (k *Keeper) Token() string { return k.now().Token }

// Replacing reports whether the credential is about to be another, which the server
// may have taken for it already.
func (k *Keeper) Replacing() bool { return k.now().Next != "" }

func (k *Keeper) now() state {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// save makes s what is true, on the disk first.
func (k *Keeper) save(s state) error {
	if err := s.save(k.cfg.File); err != nil {
		return err
	}
	k.use(s)
	return nil
}

// use makes s what is true for this process.
func (k *Keeper) use(s state) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state = s
}

// Enrol sees to it that there is a credential: it exchanges the enrolment unless
// that was done before, waiting out every outage. Another enrolment than the one
// that the credential came of is exchanged for a new one. An empty enrolment makes
// do with what is there, and Token may be empty then.
func (k *Keeper) Enrol(ctx context.Context, enrolment string, with Enroller) error {
	before := k.now()
	known := enrolment == "" || before.Enrolment == api.TokenDigest(enrolment)
	switch {
	case known && !before.Enrolling && (before.Token != "" || enrolment == ""):
		return nil
	case enrolment == "":
		return k.save(before.adopted(0)) // nobody can repeat the exchange: the server says what became of it
	}
	inherited := known && before.Enrolling
	s := before
	if !inherited {
		s.Enrolment, s.Enrolling, s.Next = api.TokenDigest(enrolment), true, k.draw()
		if err := k.save(s); err != nil {
			return err
		}
	}
	k.log.InfoContext(ctx, "enrolling this worker", "worker", k.cfg.Worker)
	out, unanswered, err := k.until(ctx, "enrol", client.Retryable, func() (api.Enrolled, error) { return with.Enrol(ctx, api.Credential(k.cfg.Worker, s.Next)) })
	switch {
	case err == nil:
		return k.save(s.adopted(out.Renew()))
	case !refused(err):
		return err // the next process asks again
	case over(err) && (inherited || unanswered) && s.Token == "":
		// A call before this one may have been accepted, and the server have
		// forgotten the enrolment since.
		return k.save(s.adopted(0))
	}
	before.Enrolling, before.Next = false, ""
	if saving := k.save(before); saving != nil {
		return saving
	}
	return err
}

func (k *Keeper) draw() string {
	secret := api.NewTokenText(api.TokenWorker)
	k.cfg.Learnt(secret)
	return secret
}

// longestWait is how long the keeper waits before it looks at the clock again,
// which may have stood still with the machine.
const longestWait = time.Minute

// Run replaces the credential when it is time, until ctx ends, which is not an
// error, or until the server refuses to, which is. Without a credential it has
// nothing to do.
func (k *Keeper) Run(ctx context.Context, server Server) error {
	inherited := k.now().Next != ""
	for {
		s := k.now()
		wait := longestWait
		if left := time.Until(s.RenewAt); s.Token != "" && left < wait {
			wait = max(0, left)
		}
		if s.Next == "" && (wait > 0 || s.Token == "") {
			if !sleep(ctx, wait) {
				return nil
			}
			continue
		}
		if err := k.replace(ctx, s, server, inherited); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		inherited = false
	}
}

// replace exchanges the credential for its successor. inherited says that a
// process before this one has drawn the successor, and may have got it accepted.
func (k *Keeper) replace(ctx context.Context, s state, server Server, inherited bool) error {
	if s.Next == "" {
		s.Next = k.draw()
		if err := k.save(s); err != nil {
			k.log.ErrorContext(ctx, "credential cannot be replaced", "err", err, "retry_in", longestWait)
			s = k.now()
			s.RenewAt = time.Now().Add(longestWait)
			k.use(s)
			return nil
		}
	}
	out, unanswered, err := k.until(ctx, "rotate", unrefused, func() (api.Enrolled, error) {
		return server.RotateCredential(ctx, api.Credential(k.cfg.Worker, s.Next))
	})
	switch {
	case err == nil:
	case over(err) && (inherited || unanswered):
		out = api.Enrolled{} // this one may be good
	default:
		return err
	}
	s = s.adopted(out.Renew())
	if err := k.save(s); err != nil {
		// The next process finds on the disk what has been drawn, and makes the
		// exchange once more.
		k.log.ErrorContext(ctx, "credential is replaced, and its file is not", "err", err)
		k.use(s)
	}
	k.log.InfoContext(ctx, "credential is replaced", "worker", k.cfg.Worker)
	return nil
}

// until makes a call for as long as again says so of its error, or until ctx ends.
// A call that was unanswered may have been obeyed.
func (k *Keeper) until(ctx context.Context, call string, again func(error) bool, make func() (api.Enrolled, error)) (_ api.Enrolled, unanswered bool, _ error) {
	for wait, level := k.cfg.RetryMin, slog.LevelWarn; ; level = slog.LevelDebug {
		out, err := make()
		if err == nil || ctx.Err() != nil || !again(err) {
			return out, unanswered, err
		}
		unanswered = true
		pause := rand.N(wait) + 1
		k.log.Log(ctx, level, "call failed", "call", call, "err", err, "retry_in", pause)
		if !sleep(ctx, pause) {
			return out, unanswered, context.Cause(ctx)
		}
		wait = min(2*wait, k.cfg.RetryMax)
	}
}

// unrefused reports whether a credential is good still, as far as an error tells:
// whatever else it says may be mended.
func unrefused(err error) bool { return !refused(err) }

// refused reports whether the server has judged the token, and not liked it.
func refused(err error) bool {
	switch api.CodeOf(err) {
	case api.CodeUnauthorized, api.CodeForbidden:
		return true
	}
	return false
}

// over reports whether the server does not know the token any more. One whose
// successor is somebody else's is known.
func over(err error) bool { return api.CodeOf(err) == api.CodeUnauthorized }

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
