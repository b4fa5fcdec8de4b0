package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := written(t, "worker.yaml", "capacity: 5\nlabels: {zone: eu, gpu: none}\nserver:\n  url: http://file\n")
	env := map[string]string{"PULLRUN_CAPACITY": "6", "PULLRUN_SERVER_URL": "http://env", "PULLRUN_LABELS": "zone=us"}
	for _, tt := range []struct {
		name     string
		opts     LoadOptions
		capacity int
		url      string
		labels   map[string]string
		from     string // of capacity
	}{
		{name: "a default is what is left", opts: LoadOptions{Environ: environment(nil)},
			capacity: 4, url: "http://127.0.0.1:8080", from: "default"},
		{name: "a file goes before a default", opts: LoadOptions{File: file, Environ: environment(nil)},
			capacity: 5, url: "http://file", labels: map[string]string{"zone": "eu", "gpu": "none"}, from: file + ":1"},
		{name: "a variable goes before a file, for a map as a whole", opts: LoadOptions{File: file, Environ: environment(env)},
			capacity: 6, url: "http://env", labels: map[string]string{"zone": "us"}, from: "PULLRUN_CAPACITY"},
		{name: "a flag goes before a variable", opts: LoadOptions{File: file, Environ: environment(env),
			Flags: parsed[Worker](t, "--capacity=7", "--server-url=http://flag", "--labels=a=b", "--labels=c=d")},
			capacity: 7, url: "http://flag", labels: map[string]string{"a": "b", "c": "d"}, from: "flag --capacity"},
		{name: "a flag that was not given says nothing", opts: LoadOptions{File: file, Environ: environment(env), Flags: parsed[Worker](t)},
			capacity: 6, url: "http://env", labels: map[string]string{"zone": "us"}, from: "PULLRUN_CAPACITY"},
		{name: "an empty variable is not set", opts: LoadOptions{File: file, Environ: environment(map[string]string{"PULLRUN_CAPACITY": ""})},
			capacity: 5, url: "http://file", labels: map[string]string{"zone": "eu", "gpu": "none"}, from: file + ":1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, sources, err := Load[Worker](tt.opts)
			if err != nil {
				t.Fatalf("Load() = %v", err)
			}
			want := DefaultWorker()
			want.Capacity, want.Server.URL, want.Labels = tt.capacity, NewURL(tt.url), tt.labels
			if diff := diff(want, got); diff != "" {
				t.Errorf("Load() (-want +got)\n%s", diff)
			}
			if from := sourceOf(sources, "capacity"); from != tt.from {
				t.Errorf("capacity comes from %q, want %q", from, tt.from)
			}
		})
	}
}

func sourceOf(sources Sources, key string) string {
	for _, s := range sources {
		if s.Key == key {
			return s.From
		}
	}
	return ""
}

func TestWhichFileIsRead(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	five := written(t, "five.yaml", "capacity: 5\n")
	six := written(t, "six.yaml", "capacity: 6\n")
	for _, tt := range []struct {
		name     string
		opts     LoadOptions
		capacity int
		wantErr  string
	}{
		{name: "none need be there", opts: LoadOptions{Search: []string{missing}}, capacity: 4},
		{name: "the first that is there is read, alone", opts: LoadOptions{Search: []string{missing, five, six}}, capacity: 5},
		{name: "one that is asked for goes before them", opts: LoadOptions{File: six, Search: []string{five}}, capacity: 6},
		{name: "one that is asked for must be there", opts: LoadOptions{File: missing, Search: []string{five}},
			wantErr: "open " + missing + ": no such file or directory"},
		{name: "one that is there must be readable", opts: LoadOptions{Search: []string{filepath.Dir(five), six}},
			wantErr: "read " + filepath.Dir(five) + ": is a directory"},
		{name: "an empty one changes nothing", opts: LoadOptions{File: written(t, "empty.yaml", "# nothing\n")}, capacity: 4},
		{name: "nor does an empty document", opts: LoadOptions{File: written(t, "empty.yaml", "---\n")}, capacity: 4},
		{name: "nor do empty keys", opts: LoadOptions{File: written(t, "empty.yaml", "capacity:\nserver:\nlog: ~\n")}, capacity: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.opts.Environ = environment(nil)
			got, _, err := Load[Worker](tt.opts)
			if text := errorText(err); text != tt.wantErr {
				t.Fatalf("Load() = %q, want %q", text, tt.wantErr)
			}
			if err == nil && got.Capacity != tt.capacity {
				t.Errorf("Load() gives capacity %d, want %d", got.Capacity, tt.capacity)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The environment of the process is what counts when nothing else is said.
func TestEnvironmentOfTheProcess(t *testing.T) {
	t.Setenv("PULLRUN_CAPACITY", "9")
	got, _, err := Load[Worker](LoadOptions{})
	if err != nil || got.Capacity != 9 {
		t.Errorf("Load() = capacity %d, %v, want 9", got.Capacity, err)
	}
}

func TestVariablesThatAreNoSettings(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"PULLRUN_SERVR_URL":            "PULLRUN_SERVR_URL: there is no such setting; did you mean PULLRUN_SERVER_URL?",
		"PULLRUN_CAPACTY":              "PULLRUN_CAPACTY: there is no such setting; did you mean PULLRUN_CAPACITY?",
		"PULLRUN_RENEW":                "", // a server's, and perhaps one is started from here as well
		"PULLRUN_PORT":                 "", // from here on Kubernetes's
		"PULLRUN_SERVICE_HOST":         "",
		"PULLRUN_SERVICE_PORT":         "",
		"PULLRUN_PORT_8080_TCP_ADDR":   "",
		"PULLRUN_SERVER_SERVICE_HOST":  "",
		"PULLRUN_WORKER_PORT_7790_TCP": "",
	} {
		_, _, err := Load[Worker](LoadOptions{Environ: environment(map[string]string{name: "x"})})
		if got := errorText(err); got != want {
			t.Errorf("with %s set, Load() = %q, want %q", name, got, want)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := put("good", "sesame-0123456789\r\n\n")
	missing := filepath.Join(dir, "missing")
	tests := []struct {
		name    string
		yaml    string
		env     map[string]string
		token   string
		from    string
		wantErr string
	}{
		{name: "the line break at the end is cut", yaml: "server: {token_file: " + good + "}", token: "sesame-0123456789", from: good},
		{name: "spaces are part of it", yaml: "server: {token_file: " + put("spaces", " a b \n") + "}", token: " a b ", from: filepath.Join(dir, "spaces")},
		{name: "a variable may name the file", env: map[string]string{"PULLRUN_SERVER_TOKEN_FILE": good}, token: "sesame-0123456789", from: good},
		{name: "an empty token is none", yaml: `server: {token: "", token_file: ` + good + "}", token: "sesame-0123456789", from: good},
		{name: "a token and a file are one too many", yaml: "server:\n  token_file: " + good,
			env:     map[string]string{"PULLRUN_SERVER_TOKEN": "other"},
			wantErr: "server.token: is set beside server.token_file (worker.yaml:2); keep one of them (PULLRUN_SERVER_TOKEN)"},
		{name: "a file that is missing", env: map[string]string{"PULLRUN_SERVER_TOKEN_FILE": missing},
			wantErr: "server.token_file: open " + missing + ": no such file or directory (PULLRUN_SERVER_TOKEN_FILE)"},
		{name: "a file that is empty", yaml: "server: {token_file: " + put("empty", "\n") + "}",
			wantErr: `server.token_file: file "` + dir + `/empty" is empty (worker.yaml:1)`},
		{name: "a file with more than a token", yaml: "server: {token_file: " + put("two", "a\nb\n") + "}",
			wantErr: `server.token_file: file "` + dir + `/two" holds more than one line (worker.yaml:1)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := written(t, "worker.yaml", tt.yaml)
			got, sources, err := Load[Worker](LoadOptions{File: file, Environ: environment(tt.env)})
			if text := strings.ReplaceAll(errorText(err), file, "worker.yaml"); text != tt.wantErr {
				t.Fatalf("Load() = %q, want %q", text, tt.wantErr)
			}
			if err != nil {
				return
			}
			if token := got.Server.Token.Reveal(); token != tt.token {
				t.Errorf("Load() gives token %q, want %q", token, tt.token)
			}
			if from := sourceOf(sources, "server.token"); from != tt.from {
				t.Errorf("server.token comes from %q, want %q", from, tt.from)
			}
		})
	}
}

// The address of a database may stand in a file too, although it has a
// default.
func TestStoreFile(t *testing.T) {
	t.Parallel()
	path := written(t, "store", "postgres://me:pw@db/pullrun\n")
	env := map[string]string{"PULLRUN_STORE_FILE": path}
	got, sources, err := Load[Server](LoadOptions{Environ: environment(env)})
	if err != nil || got.Store.Reveal() != "postgres://me:pw@db/pullrun" {
		t.Errorf("Load() = store %q, %v", got.Store.Reveal(), err)
	}
	if from := sourceOf(sources, "store"); from != path {
		t.Errorf("store comes from %q, want %q", from, path)
	}
	env["PULLRUN_STORE"] = "sqlite://pullrun.db"
	_, _, err = Load[Server](LoadOptions{Environ: environment(env)})
	want := "store: is set beside store_file (PULLRUN_STORE_FILE); keep one of them (PULLRUN_STORE)"
	if got := errorText(err); got != want {
		t.Errorf("Load() = %q, want %q", got, want)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	file := written(t, "token", "worker-0123456789\n")
	both := "[{name: ci, token: submit-0123456789, scopes: [submit, read]}, {name: edge, token_file: " + file + ", scopes: [work]}]"
	want := []Token{
		{Name: "ci", Token: NewSecret("submit-0123456789"), Scopes: []string{"submit", "read"}},
		{Name: "edge", Token: NewSecret("worker-0123456789"), TokenFile: file, Scopes: []string{"work"}},
	}
	for name, opts := range map[string]LoadOptions{
		"file":     {File: written(t, "server.yaml", "tokens: "+both), Environ: environment(nil)},
		"variable": {Environ: environment(map[string]string{"PULLRUN_TOKENS": both})},
		"flag":     {Flags: parsed[Server](t, "--tokens", both), Environ: environment(nil)},
	} {
		got, sources, err := Load[Server](opts)
		if err != nil {
			t.Errorf("Load from a %s = %v", name, err)
		}
		if diff := diff(want, got.Tokens); diff != "" {
			t.Errorf("tokens from a %s (-want +got)\n%s", name, diff)
		}
		shown := "[{name: ci, token: •••, scopes: [submit, read]}, {name: edge, token: •••, token_file: " + file + ", scopes: [work]}]"
		for _, s := range sources {
			if s.Key == "tokens" && s.Value != shown {
				t.Errorf("tokens from a %s are shown as %s, want %s", name, s.Value, shown)
			}
		}
	}
}

// Nothing that Load returns is shared with what it returned before.
func TestLoadedValuesAreTheCallers(t *testing.T) {
	t.Parallel()
	first, _, _ := Load[Worker](LoadOptions{Environ: environment(nil)})
	first.Queues[0], first.Pipelines.Dirs[0] = "changed", "changed"
	second, _, _ := Load[Worker](LoadOptions{Environ: environment(nil)})
	if diff := cmp.Diff([]string{"default", "."}, []string{second.Queues[0], second.Pipelines.Dirs[0]}); diff != "" {
		t.Errorf("a second Load() sees changes of the first (-want +got)\n%s", diff)
	}
}
