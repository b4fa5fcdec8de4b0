package configs

import (
	_ "embed"
	"path/filepath"
	"time"
)

// Worker is everything that can be set for a worker.
type Worker struct {
	Server         Remote            `mapstructure:"server" doc:"The server to take runs from."`
	EnrolToken     Secret            `mapstructure:"enrol_token" doc:"Enrolment that this worker exchanges for a credential of its own, once, from pullrun tokens create --enrol. It may stay here afterwards. Not together with server.token."`
	EnrolTokenFile string            `mapstructure:"enrol_token_file" doc:"File that holds the enrolment. Not together with enrol_token."`
	CredentialFile string            `mapstructure:"credential_file" doc:"File that keeps the credential of this worker alone, on a disk that outlives the process. The default, auto, is credentials/NAME below the same directory as outbox.dir's."`
	Name           string            `mapstructure:"name" doc:"Name that the server knows this worker by. The newest worker of a name takes its place, so each needs its own. Empty is the host's name in lower case."`
	Capacity       int               `mapstructure:"capacity" doc:"How many runs are worked on at once, from 1 to 10000."`
	Queues         []string          `mapstructure:"queues" doc:"Queues to take runs from, at least one."`
	Labels         map[string]string `mapstructure:"labels" doc:"Labels that runs can ask for: a run goes only to a worker that has all of its labels. Keys are lower case."`
	Pipelines      Pipelines         `mapstructure:"pipelines" doc:"The pipelines that this worker can run."`
	Chips          Chips             `mapstructure:"chips" doc:"The chips that pipelines may call on this worker. A pipeline that calls another is refused when the worker starts, with its file and line."`
	Code           bool              `mapstructure:"code" doc:"Whether pipelines may have code tasks. If not, one that has is refused when the worker starts. Expressions are not code."`
	MaxRuns        int               `mapstructure:"max_runs" doc:"How many runs the worker takes before it ends, done. Zero has no end. --once is short for 1."`
	IdleTimeout    time.Duration     `mapstructure:"idle_timeout" doc:"How long the worker may have nothing to do before it ends, idle. Zero has no end."`
	MaxUptime      time.Duration     `mapstructure:"max_uptime" doc:"How long the worker lives before it drains. Zero has no end."`
	ContactTimeout time.Duration     `mapstructure:"contact_timeout" doc:"How long the server may be out of reach before the worker ends; what it has then is stopped, and results wait in the outbox. Zero waits for ever."`
	DrainTimeout   time.Duration     `mapstructure:"drain_timeout" doc:"How long a stopping worker lets its runs finish before it hands them back. Zero hands them back at once. Whatever stops the process must wait this long and half a minute more."`
	CancelGrace    time.Duration     `mapstructure:"cancel_grace" doc:"How long a cancelled run may take to stop before it is abandoned and reported as cancelled all the same. Zero abandons it at once. Must be shorter than the server's cancel_timeout."`
	Outbox         Outbox            `mapstructure:"outbox" doc:"Where finished results are kept until the server has them, across restarts and power cuts."`
	Limits         RunLimits         `mapstructure:"limits" doc:"What one run may use, and the machine. A run that needs more fails with a LimitException and leaves the worker whole."`
	HTTP           HTTP              `mapstructure:"http" doc:"What the http chips may do."`
	Process        Process           `mapstructure:"process" doc:"What the chip process.run may do."`
	Listen         string            `mapstructure:"listen" doc:"Address, host:port, where this worker serves /livez, /readyz, /metrics and /v1/status, to whoever reaches it and without a token. The default, auto, is the first free port from 7790 to 7799 of 127.0.0.1, so that several workers on a machine find one each. Empty serves nothing."`
	Log            Log               `mapstructure:"log" doc:"What is written to standard error."`
}

// Pipelines says which pipelines a worker holds.
type Pipelines struct {
	Dirs  []string `mapstructure:"dirs" doc:"Directories with pipeline files, at least one. Of two pipelines with one name the later directory's is taken."`
	Allow []string `mapstructure:"allow" doc:"Patterns of the pipelines that the server may ask for, such as etl.*, with * and ? as in file names. Empty allows all."`
}

// Chips says which chips pipelines may call.
type Chips struct {
	Allow []string `mapstructure:"allow" doc:"Patterns of the chips that may be called, such as http.*, with * and ? as in file names. Empty allows all."`
	Deny  []string `mapstructure:"deny" doc:"Patterns of the chips that may not be called, whatever chips.allow says."`
}

// Outbox says where a worker keeps results that the server does not have yet.
type Outbox struct {
	Dir string `mapstructure:"dir" doc:"Directory for the results of this worker alone, on a disk that outlives the process. The default, auto, is outbox/NAME below $STATE_DIRECTORY (systemd's StateDirectory), or else pullrun/outbox/NAME below $XDG_STATE_HOME or ~/.local/state. Empty keeps results in memory, where a crash loses them and their runs are run again."`
	Max Size   `mapstructure:"max" doc:"How many bytes of results may wait before the worker takes nothing more. They are in memory as well. What is running then still finishes and is kept."`
}

// AutoOutbox is the Outbox.Dir that is derived from the environment and the
// worker's name.
const AutoOutbox = "auto"

// AutoCredential is the CredentialFile that is derived from the environment and
// the worker's name.
const AutoCredential = "auto"

// AutoListen is the Worker.Listen that finds a free port.
const AutoListen = "auto"

// RunLimits bounds what a run may use.
type RunLimits struct {
	Timeout   time.Duration `mapstructure:"timeout" doc:"Longest time that a run may take, its background tasks included. A submitter can only ask for less."`
	Tasks     int           `mapstructure:"tasks" doc:"Most tasks that a run may execute, each turn of a loop counted."`
	Steps     int           `mapstructure:"steps" doc:"Most steps that a run's expressions and code may take together."`
	Depth     int           `mapstructure:"depth" doc:"How deep task sets and pipelines may be nested, in a file or by dispatching each other."`
	Memory    Size          `mapstructure:"memory" doc:"Most memory that one evaluation of an expression or a piece of code may newly take, as estimated beforehand."`
	Variables Size          `mapstructure:"variables" doc:"Most that the variables of a run may hold at once, as estimated."`
	Result    Size          `mapstructure:"result" doc:"Largest result, as JSON. Where the server's limits.result is less, that holds."`

	MachineMemory int `mapstructure:"machine_memory" doc:"How much of the machine's memory may be in use, in percent, before the worker takes nothing more: of its cgroup's limit where there is one. What is running goes on. Zero does not look."`
}

// HTTP bounds what the http chips may do.
type HTTP struct {
	AllowPrivate bool          `mapstructure:"allow_private" doc:"Whether requests may go to loopback and private addresses. Addresses where clouds keep the machine's credentials are always refused."`
	Timeout      time.Duration `mapstructure:"timeout" doc:"Longest time for a request whose task does not set its own, redirects and body included."`
	MaxBody      Size          `mapstructure:"max_body" doc:"Largest response body, decompressed."`
}

// Process bounds what the chip that runs programs may do.
type Process struct {
	Allow []string `mapstructure:"allow" doc:"Absolute paths of the programs that pipelines may run, such as /usr/bin/jq, or patterns of them, such as /opt/jobs/*, with * and ? as in file names. A shell or an interpreter can do whatever this worker's user can. Empty allows none: a pipeline that calls process.run is then refused when the worker starts."`
}

// DefaultWorker works for a server on the same machine.
func DefaultWorker() Worker {
	return Worker{
		Server:         defaultRemote(),
		CredentialFile: AutoCredential,
		Capacity:       4,
		Queues:         []string{"default"},
		Code:           true,
		Pipelines:      Pipelines{Dirs: []string{"."}},
		DrainTimeout:   10 * time.Minute,
		CancelGrace:    10 * time.Second,
		Outbox:         Outbox{Dir: AutoOutbox, Max: 64 * MiB},
		Limits: RunLimits{
			Timeout:   time.Hour,
			Tasks:     1_000_000,
			Steps:     200_000_000,
			Depth:     300,
			Memory:    64 * MiB,
			Variables: 256 * MiB,
			Result:    8 * MiB,

			MachineMemory: 95,
		},
		HTTP:   HTTP{AllowPrivate: true, Timeout: 30 * time.Second, MaxBody: 10 * MiB},
		Listen: AutoListen,
		Log:    defaultLog(),
	}
}

//go:embed worker.yaml
var workerFile string

// WorkerFile returns the default settings as a commented file.
func WorkerFile() string { return workerFile }

// Validate reports everything that is wrong at once, as Problems.
func (w Worker) Validate() error {
	var c check
	w.Server.check(&c)
	if !w.EnrolToken.IsZero() && !w.Server.Token.IsZero() {
		c.conflict("enrol_token", "server.token")
	}
	if w.CredentialFile == "" {
		c.add("credential_file", "wants a file, or auto")
	}
	if w.Name != "" {
		c.name("name", w.Name)
	}
	c.between("capacity", w.Capacity, 1, 10_000)
	if len(w.Queues) == 0 {
		c.add("queues", "wants at least one")
	}
	for _, queue := range w.Queues {
		c.name("queues", queue)
	}
	c.labels("labels", w.Labels)
	if len(w.Pipelines.Dirs) == 0 {
		c.add("pipelines.dirs", "wants at least one")
	}
	atLeast(&c, "max_runs", w.MaxRuns, 0)
	atLeast(&c, "idle_timeout", w.IdleTimeout, 0)
	atLeast(&c, "max_uptime", w.MaxUptime, 0)
	atLeast(&c, "contact_timeout", w.ContactTimeout, 0)
	c.patterns("pipelines.allow", w.Pipelines.Allow)
	c.patterns("chips.allow", w.Chips.Allow)
	c.patterns("chips.deny", w.Chips.Deny)
	atLeast(&c, "outbox.max", w.Outbox.Max, MiB)
	w.Limits.check(&c)
	atLeast(&c, "http.timeout", w.HTTP.Timeout, time.Millisecond)
	atLeast(&c, "http.max_body", w.HTTP.MaxBody, KiB)
	c.patterns("process.allow", w.Process.Allow)
	for _, pattern := range w.Process.Allow {
		if !filepath.IsAbs(pattern) {
			c.add("process.allow", "wants absolute paths, got %q", pattern)
		}
	}
	if w.Listen != "" && w.Listen != AutoListen {
		c.address("listen", w.Listen)
	}
	w.Log.check(&c)
	return c.err()
}

func (l RunLimits) check(c *check) {
	atLeast(c, "limits.timeout", l.Timeout, time.Second)
	atLeast(c, "limits.tasks", l.Tasks, 1)
	atLeast(c, "limits.steps", l.Steps, 1)
	atLeast(c, "limits.depth", l.Depth, 1)
	atLeast(c, "limits.memory", l.Memory, MiB)
	atLeast(c, "limits.variables", l.Variables, MiB)
	atLeast(c, "limits.result", l.Result, KiB)
	c.between("limits.machine_memory", l.MachineMemory, 0, 100)
}

func (Worker) defaults() Worker { return DefaultWorker() }
