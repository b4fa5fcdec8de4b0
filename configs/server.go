package configs

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// Server is everything that can be set for a server.
type Server struct {
	Listen    string  `mapstructure:"listen" doc:"Address to listen on, host:port. An empty host is every address of the machine."`
	TLS       TLS     `mapstructure:"tls" doc:"Certificate to serve HTTPS with. Without one it is HTTP, for a proxy in front or for one machine."`
	Anonymous bool    `mapstructure:"anonymous" doc:"Whether callers without a token may do everything although other machines can reach the server. For a trusted network or a proxy that checks callers itself. Not together with tokens."`
	Tokens    []Token `mapstructure:"tokens" doc:"Tokens that callers must show. With none, everybody may do everything, which is refused unless listen is a loopback address or anonymous is true."`

	CredentialLifetime time.Duration `mapstructure:"credential_lifetime" doc:"How long a worker's credential is good for that it got for an enrolment. A worker replaces its own in the middle of that time, so one that is off for half of it must be enrolled again."`

	Store           URL           `mapstructure:"store" doc:"Database that holds the runs: sqlite:// and a file, absolute with a third slash, or a postgres:// address."`
	StoreFile       string        `mapstructure:"store_file" doc:"File that holds the address of the database, where that has a password. Not together with store."`
	StoreReserve    Size          `mapstructure:"store_reserve" doc:"Disk space that is kept beside a SQLite database for when the disk is full: submits are refused then, while results are still taken. Zero keeps none."`
	Hold            time.Duration `mapstructure:"hold" doc:"How long a worker's poll is held when there is nothing to send. Proxies in between must allow it; many cut at 30s or 60s. At most three quarters of lease count, for a poll renews the lease."`
	Lease           time.Duration `mapstructure:"lease" doc:"How long a worker keeps its runs without being heard of, at least 10s. Then they are given to another."`
	Renew           time.Duration `mapstructure:"renew" doc:"How often a worker sends a heartbeat. At most a third of lease, so that two may be lost."`
	OfferTimeout    time.Duration `mapstructure:"offer_timeout" doc:"How long a run that was sent waits for the worker's acknowledgement before it goes back to the queue."`
	CancelTimeout   time.Duration `mapstructure:"cancel_timeout" doc:"How long a cancelled run waits for its worker before it ends without it. Must be longer than the workers' cancel_grace."`
	MaxAttempts     int           `mapstructure:"max_attempts" doc:"How many workers may be lost over a run before it is given up, from 1 to 100, where the submitter does not say."`
	Dispatch        Dispatch      `mapstructure:"dispatch" doc:"In which order runs are given to workers."`
	Limits          ServerLimits  `mapstructure:"limits" doc:"What is taken from callers. Beyond it they are told so."`
	Retention       Retention     `mapstructure:"retention" doc:"How long what has ended is kept. What is old is deleted bit by bit, between other work."`
	ShutdownTimeout time.Duration `mapstructure:"shutdown_timeout" doc:"How long a stopping server lets requests finish; held polls are answered at once. Zero ends them at once."`
	Traces          Traces        `mapstructure:"traces" doc:"Which traces are recorded, beyond what the OTEL_ variables say."`
	TraceURL        string        `mapstructure:"trace_url" doc:"Address that is shown with a run for people to look at its trace, with {trace} for the trace's id, such as http://127.0.0.1:16686/trace/{trace}. Empty shows the id alone."`
	Log             Log           `mapstructure:"log" doc:"What is written to standard error."`
}

// TLS names a certificate.
type TLS struct {
	CertFile     string `mapstructure:"cert_file" doc:"File with the PEM certificate and those between it and the authority. Together with key_file. A new one is used for new connections, without a restart."`
	KeyFile      string `mapstructure:"key_file" doc:"File with the certificate's PEM key. Together with cert_file."`
	ClientCAFile string `mapstructure:"client_ca_file" doc:"File with the PEM certificates of authorities. With it, whoever connects must show a certificate that one of them has signed, besides a token. Empty asks for none."`
}

// A Token lets whoever shows it do what its scopes say.
type Token struct {
	Name      string   `mapstructure:"name" doc:"Name that the log and the runs show in place of the token."`
	Token     Secret   `mapstructure:"token" doc:"The token itself, at least 16 characters, such as openssl rand -hex 32 makes."`
	TokenFile string   `mapstructure:"token_file" doc:"File that holds the token. Not together with token."`
	Scopes    []string `mapstructure:"scopes" doc:"What the token is good for: submit, work, read, admin."`
	OwnTrace  bool     `mapstructure:"own_trace" doc:"Whether the runs of the token's owner begin traces of their own, which link to the owner's. For submitters that are not to say what is recorded here."`
}

// Dispatch says in which order runs are given to workers.
type Dispatch struct {
	Aging time.Duration `mapstructure:"aging" doc:"How long a run waits for its priority to count as one higher, so that no run waits for ever behind those of a higher priority. Zero leaves priorities as they are."`
}

// Traces says which traces are recorded.
type Traces struct {
	IgnoreUnsampledParent bool `mapstructure:"ignore_unsampled_parent" doc:"Whether the trace of a run is recorded, as OTEL_TRACES_SAMPLER says, although its submitter does not record it."`
}

// ServerLimits bounds what a server takes.
type ServerLimits struct {
	Body    Size `mapstructure:"body" doc:"Largest request body other than a batch of results and what workers say of themselves. It bounds the variables of a run."`
	Result  Size `mapstructure:"result" doc:"Largest result of a run. Workers are told when they register, and fail a run whose result is larger."`
	Queued  int  `mapstructure:"queued" doc:"Most runs that may wait in one queue, whether for a worker, for a slot of their concurrency key or for their time. With several servers on one database it is approximate. Zero is no limit."`
	Rate    int  `mapstructure:"rate" doc:"Most calls that a token may make in a second, other than those of a worker. Zero is no limit."`
	Polls   int  `mapstructure:"polls" doc:"Most polls that may be held at once, which is the number of workers."`
	Readers int  `mapstructure:"readers" doc:"Most calls that may follow runs or wait for their end at once. Where there are tokens, one may have half of them. Each takes a connection and some 50 KiB of memory."`
}

// DefaultServer serves its own machine, over HTTP, from a file in the working
// directory.
func DefaultServer() Server {
	return Server{
		Listen:             "127.0.0.1:8080",
		Store:              NewURL("sqlite://pullrun.db"),
		CredentialLifetime: 30 * day,
		Hold:               25 * time.Second,
		Lease:              time.Minute,
		Renew:              15 * time.Second,
		OfferTimeout:       10 * time.Second,
		CancelTimeout:      30 * time.Second,
		MaxAttempts:        3,
		Dispatch:           Dispatch{Aging: time.Minute},
		Limits:             ServerLimits{Body: MiB, Result: 8 * MiB, Queued: 100_000, Polls: 10_000, Readers: 4_000},
		StoreReserve:       64 * MiB,
		Retention:          defaultRetention(),
		ShutdownTimeout:    10 * time.Second,
		Log:                defaultLog(),
	}
}

//go:embed server.yaml
var serverFile string

// ServerFile returns the default settings as a commented file.
func ServerFile() string { return serverFile }

// Validate reports everything that is wrong at once, as Problems.
func (s Server) Validate() error {
	var c check
	c.address("listen", s.Listen)
	c.pair("tls.cert_file", s.TLS.CertFile, "tls.key_file", s.TLS.KeyFile)
	if s.TLS.ClientCAFile != "" && s.TLS.CertFile == "" {
		c.add("tls.client_ca_file", "is of no use without tls.cert_file")
	}
	s.checkTokens(&c)
	switch open := len(s.Tokens) == 0; {
	case open && !s.Anonymous && isPublic(s.Listen):
		c.add("tokens", "wants at least one, since other machines can reach %q; anonymous: true lets everybody in", s.Listen)
	case !open && s.Anonymous:
		c.add("anonymous", "must be false when there are tokens")
	}
	if !hasScheme(s.Store, "sqlite", "postgres", "postgresql") {
		c.add("store", "wants an address that begins with sqlite:// or postgres://")
	}
	s.checkTimes(&c)
	s.Retention.check(&c)
	c.between("max_attempts", s.MaxAttempts, 1, 100)
	atLeast(&c, "limits.body", s.Limits.Body, KiB)
	atLeast(&c, "limits.result", s.Limits.Result, KiB)
	atLeast(&c, "limits.queued", s.Limits.Queued, 0)
	atLeast(&c, "limits.rate", s.Limits.Rate, 0)
	atLeast(&c, "limits.polls", s.Limits.Polls, 1)
	atLeast(&c, "limits.readers", s.Limits.Readers, 1)
	if s.TraceURL != "" && !strings.Contains(s.TraceURL, "{trace}") {
		c.add("trace_url", "wants {trace} where the trace's id belongs, got %q", s.TraceURL)
	}
	s.Log.check(&c)
	return c.err()
}

func (s Server) checkTimes(c *check) {
	atLeast(c, "credential_lifetime", s.CredentialLifetime, 10*time.Second)
	atLeast(c, "hold", s.Hold, time.Second)
	atLeast(c, "lease", s.Lease, 10*time.Second)
	atLeast(c, "renew", s.Renew, time.Second)
	if s.Renew > s.Lease/3 {
		c.add("renew", "must be at most a third of lease, which is %s, got %s", formatDuration(s.Lease), formatDuration(s.Renew))
	}
	atLeast(c, "offer_timeout", s.OfferTimeout, time.Second)
	atLeast(c, "cancel_timeout", s.CancelTimeout, time.Second)
	if s.Dispatch.Aging != 0 {
		atLeast(c, "dispatch.aging", s.Dispatch.Aging, time.Second)
	}
}

func (s Server) checkTokens(c *check) {
	names, tokens := map[string]bool{}, map[string]bool{}
	for i, t := range s.Tokens {
		key := fmt.Sprintf("tokens[%d]", i)
		c.name(key+".name", t.Name)
		if names[t.Name] {
			c.add(key+".name", "%q is taken by a token before it", t.Name)
		}
		names[t.Name] = true
		text := t.Token.Reveal()
		switch {
		case len(text) < 16:
			c.add(key+".token", "must be at least 16 characters long")
		case tokens[text]:
			c.add(key+".token", "is the same as one before it")
		}
		tokens[text] = true
		if len(t.Scopes) == 0 {
			c.add(key+".scopes", "wants at least one of submit, work, read, admin")
		}
		for _, scope := range t.Scopes {
			c.oneOf(key+".scopes", scope, "submit", "work", "read", "admin")
		}
	}
}

func (Server) defaults() Server { return DefaultServer() }
