package configs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What viper by itself drops, splits, lower-cases or converts in silence is
// either kept as it is or refused with a line that says why.
func TestTraps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		yaml    string
		env     map[string]string
		change  func(*Worker) // to the defaults
		wantErr string
	}{
		{name: "a nested key that only a variable sets is set",
			env:    map[string]string{"PULLRUN_SERVER_URL": "https://example.com"},
			change: func(w *Worker) { w.Server.URL = NewURL("https://example.com") }},
		{name: "a duration without a unit is no nanoseconds", yaml: "drain_timeout: 30",
			wantErr: `drain_timeout: wants a unit, for example "30s" (worker.yaml:1)`},
		{name: "nor in a variable", env: map[string]string{"PULLRUN_DRAIN_TIMEOUT": "30"},
			wantErr: `drain_timeout: wants a unit, for example "30s" (PULLRUN_DRAIN_TIMEOUT)`},
		{name: "zero needs no unit", yaml: "drain_timeout: 0", change: func(w *Worker) { w.DrainTimeout = 0 }},
		{name: "a size without a unit is no bytes", yaml: "limits:\n  result: 8",
			wantErr: `limits.result: wants a unit (B, KiB, MiB or GiB), for example "8MiB" (worker.yaml:2)`},
		{name: "dots in the keys of a map survive", yaml: "labels: {app.kubernetes.io/name: etl}",
			change: func(w *Worker) { w.Labels = map[string]string{"app.kubernetes.io/name": "etl"} }},
		{name: "upper case in the keys of a map is refused, not changed", yaml: "labels: {Region: eu}",
			wantErr: `labels: key "Region" must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit (worker.yaml:1)`},
		{name: "upper case in the values of a map survives", yaml: "labels: {region: EU}",
			change: func(w *Worker) { w.Labels = map[string]string{"region": "EU"} }},
		{name: "a variable sets a map", env: map[string]string{"PULLRUN_LABELS": "a=b, c.d=e=f"},
			change: func(w *Worker) { w.Labels = map[string]string{"a": "b", "c.d": "e=f"} }},
		{name: "a map in a variable wants values", env: map[string]string{"PULLRUN_LABELS": "a"},
			wantErr: `labels: wants key=value, got "a" (PULLRUN_LABELS)`},
		{name: "a map in a variable has each key once", env: map[string]string{"PULLRUN_LABELS": "a=b,a=c"},
			wantErr: `labels.a: is set twice (PULLRUN_LABELS)`},
		{name: "a variable sets a list", env: map[string]string{"PULLRUN_QUEUES": "a, b"},
			change: func(w *Worker) { w.Queues = []string{"a", "b"} }},
		{name: "a list in a variable has no empty items", env: map[string]string{"PULLRUN_QUEUES": "a,,b"},
			wantErr: `queues: has an empty item in "a,,b" (PULLRUN_QUEUES)`},
		{name: "an empty variable is not set", yaml: "capacity: 7", env: map[string]string{"PULLRUN_CAPACITY": ""},
			change: func(w *Worker) { w.Capacity = 7 }},
		{name: "an empty list is empty, not the default", yaml: "queues: []",
			wantErr: "queues: wants at least one (worker.yaml:1)"},
		{name: "a leading zero is not octal", yaml: "capacity: 010",
			wantErr: "capacity: has a leading zero, which some read as octal; leave it out (worker.yaml:1)"},
		{name: "nor in a variable", env: map[string]string{"PULLRUN_CAPACITY": "010"},
			wantErr: "capacity: has a leading zero, which some read as octal; leave it out (PULLRUN_CAPACITY)"},
		{name: "nor in a duration", yaml: "drain_timeout: 010s",
			wantErr: "drain_timeout: has a leading zero, which some read as octal; leave it out (worker.yaml:1)"},
		{name: "nor in a size", yaml: "limits: {result: 010MiB}",
			wantErr: "limits.result: has a leading zero, which some read as octal; leave it out (worker.yaml:1)"},
		{name: "text is not a number", yaml: "capacity: '7'", wantErr: "capacity: wants a whole number (worker.yaml:1)"},
		{name: "hexadecimal is not for people", yaml: "capacity: 0x10", wantErr: "capacity: wants a whole number (worker.yaml:1)"},
		{name: "a fraction is not cut off", yaml: "capacity: 7.9", wantErr: "capacity: wants a whole number (worker.yaml:1)"},
		{name: "a number is not text", yaml: "name: 12", wantErr: "name: wants text; put it in quotes (worker.yaml:1)"},
		{name: "a date is not text", yaml: "labels: {since: 2026-01-01}", wantErr: "labels.since: wants text; put it in quotes (worker.yaml:1)"},
		{name: "a number is not a boolean", yaml: "http: {allow_private: 0}", wantErr: "http.allow_private: wants true or false (worker.yaml:1)"},
		{name: "text with commas is not a list", yaml: "queues: a,b", wantErr: "queues: wants a list, for example [a, b] (worker.yaml:1)"},
		{name: "a list is not text", yaml: "name: [a]", wantErr: "name: wants a single value (worker.yaml:1)"},
		{name: "text is not a map", yaml: "labels: a=b", wantErr: "labels: wants keys with values, for example {a: b} (worker.yaml:1)"},
		{name: "text is not a group", yaml: "server: http://example.com", wantErr: "server: wants keys with values, for example {a: b} (worker.yaml:1)"},
		{name: "a key in upper case is another key", yaml: "Capacity: 7", wantErr: `Capacity: unknown key; did you mean "capacity"? (worker.yaml:1)`},
		{name: "a key with dots is not a path", yaml: "server.url: http://example.com",
			wantErr: `server.url: unknown key; did you mean "url" below "server"? (worker.yaml:1)`},
		{name: "a key set twice on one line", yaml: "server: {url: 'http://a', url: 'http://b'}",
			wantErr: "server.url: is set twice (worker.yaml:1)"},
		{name: "a key set twice is not the last one", yaml: "capacity: 1\nname: a\ncapacity: 2",
			wantErr: "capacity: is set twice, first at worker.yaml:1 (worker.yaml:3)"},
		{name: "a second document is not dropped", yaml: "capacity: 1\n---\ncapacity: 2\n",
			wantErr: "wants one document, and a second begins here (worker.yaml:2)"},
		{name: "a list is not a settings file", yaml: "- capacity", wantErr: "wants keys with values, for example {a: b} (worker.yaml:1)"},
		{name: "a key is text", yaml: "{[a]: b}", wantErr: "has a key that is not text (worker.yaml:1)"},
		{name: "bytes are not a settings file", yaml: "name: \x00", wantErr: "control characters are not allowed (value: 0) (worker.yaml)"},
		{name: "a syntax error has its line", yaml: "capacity: 1\nname: \"x\n",
			wantErr: "found unexpected end of stream (worker.yaml:3)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := written(t, "worker.yaml", tt.yaml)
			got, _, err := Load[Worker](LoadOptions{File: file, Environ: environment(tt.env)})
			if text := strings.ReplaceAll(errorText(err), file, "worker.yaml"); text != tt.wantErr {
				t.Fatalf("Load() = %q\nwant     %q", text, tt.wantErr)
			}
			want := DefaultWorker()
			if tt.change != nil {
				tt.change(&want)
			}
			if diff := diff(want, got); err == nil && diff != "" {
				t.Errorf("Load() (-want +got)\n%s", diff)
			}
		})
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	file := written(t, "worker.yaml", "capacty: 3\nserver:\n  urll: x\n  nothing_like_it: {a: b}\n  porxy: x\nserver_url: x\nport: 1\n")
	_, _, err := Load[Worker](LoadOptions{File: file, Environ: environment(nil)})
	want := strings.TrimSpace(`
capacty: unknown key; did you mean "capacity"? (worker.yaml:1)
port: unknown key (worker.yaml:7)
server.nothing_like_it: unknown key (worker.yaml:4)
server.porxy: unknown key; did you mean "proxy"? (worker.yaml:5)
server.urll: unknown key; did you mean "url"? (worker.yaml:3)
server_url: unknown key; did you mean "url" below "server"? (worker.yaml:6)
`)
	if diff := cmp.Diff(want, strings.ReplaceAll(errorText(err), file, "worker.yaml")); diff != "" {
		t.Errorf("Load() (-want +got)\n%s", diff)
	}
	_, _, err = Load[Server](LoadOptions{Environ: environment(map[string]string{
		"PULLRUN_TOKENS": "[{name: a, tokn: sesame-0123456789, scopes: [work]}]"})})
	if got, want := errorText(err), `tokens[0].tokn: unknown key; did you mean "token"? (PULLRUN_TOKENS)`; got != want {
		t.Errorf("Load() = %q, want %q", got, want)
	}
}

// A list that could not be read is not empty.
func TestOneWrongTokenIsNotNone(t *testing.T) {
	t.Parallel()
	for tokens, want := range map[string]string{
		`[{name: a, token_file: /does/not/exist, scopes: [read]}]`: `tokens[0].token_file: open /does/not/exist: no such file or directory (PULLRUN_TOKENS)`,
		`[{name: a, tokn: "0123456789abcdef", scopes: [read]}]`:    `tokens[0].tokn: unknown key; did you mean "token"? (PULLRUN_TOKENS)`,
		`[]`: `tokens: wants at least one, since other machines can reach "0.0.0.0:1"; anonymous: true lets everybody in (PULLRUN_TOKENS)`,
	} {
		_, _, err := Load[Server](LoadOptions{Environ: environment(map[string]string{"PULLRUN_LISTEN": "0.0.0.0:1", "PULLRUN_TOKENS": tokens})})
		if got := errorText(err); got != want {
			t.Errorf("Load() with tokens %s = %q, want %q", tokens, got, want)
		}
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	file := written(t, "worker.yaml", strings.TrimLeft(`
capacty: 3
queues: []
drain_timeout: 30
log:
  level: loud
`, "\n"))
	_, sources, err := Load[Worker](LoadOptions{
		File: file,
		Environ: environment(map[string]string{
			"PULLRUN_CANCEL_GRACE":      "-1s",
			"PULLRUN_SERVER_TOKEN_FILE": "/does/not/exist",
			"PULLRUN_HTTP_TIMEOUT":      "soon",
		}),
		Flags: parsed[Worker](t, "--capacity=0", "--server-url=ftp://x", "--limits-result=1MB"),
	})
	want := strings.TrimSpace(`
cancel_grace: must not be negative (PULLRUN_CANCEL_GRACE)
capacity: must be from 1 to 10000, got 0 (flag --capacity)
capacty: unknown key; did you mean "capacity"? (worker.yaml:1)
drain_timeout: wants a unit, for example "30s" (worker.yaml:3)
http.timeout: wants a duration, for example "30s", got "soon" (PULLRUN_HTTP_TIMEOUT)
limits.result: wants a unit (B, KiB, MiB or GiB), for example "1MiB" (flag --limits-result)
log.level: must be one of debug, info, warn, error, got "loud" (worker.yaml:5)
queues: wants at least one (worker.yaml:2)
server.token_file: open /does/not/exist: no such file or directory (PULLRUN_SERVER_TOKEN_FILE)
server.url: wants an address, for example "https://pullrun.example.com", got "ftp://x" (flag --server-url)
`)
	if diff := cmp.Diff(want, strings.ReplaceAll(errorText(err), file, "worker.yaml")); diff != "" {
		t.Errorf("Load() (-want +got)\n%s", diff)
	}
	if from := sourceOf(sources, "drain_timeout"); from != file+":3" {
		t.Errorf("a wrong value comes from %q, want %q", from, file+":3")
	}
}

func TestDefaultsOfTheWorkerAgreeWithTheServers(t *testing.T) {
	t.Parallel()
	w, s := DefaultWorker(), DefaultServer()
	if w.Limits.Result > s.Limits.Result {
		t.Errorf("limits.result is %s for a worker and %s for a server", w.Limits.Result, s.Limits.Result)
	}
	if w.CancelGrace+10*time.Second > s.CancelTimeout {
		t.Errorf("cancel_grace %s leaves no time to report within cancel_timeout %s", w.CancelGrace, s.CancelTimeout)
	}
}
