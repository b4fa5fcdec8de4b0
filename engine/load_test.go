package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

// problems loads files and gives what is wrong with them, a line each.
func problems(t *testing.T, opts engine.LoadOptions) []string {
	t.Helper()
	if opts.Chips == nil {
		opts.Chips = kitChips()
	}
	_, err := engine.Load(opts)
	if err == nil {
		return nil
	}
	var le *engine.LoadError
	if !errors.As(err, &le) {
		t.Fatalf("Load() = %v, want a LoadError", err)
	}
	return strings.Split(err.Error(), "\n")
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	got := problems(t, engine.LoadOptions{FS: fsOf(map[string]string{
		"a.yml": `
- chip: kit.ehco
- dispatch: lib.shuot
- return: 1
  lop: [1]
- retrun: 1
- when: true
  code: x
- tasks:
    - declare: [a]
    - log: warning
      code: "1"
`,
		"b.yml":         "- return: [1\n",
		"c.yml":         "return: 1\n",
		"d.yml":         "- code: '1'\n  chip: kit.echo\n",
		"e.yml":         "- dispatch: near\n- dispatch: far\n- dispatch: none\n",
		"lib/shout.yml": "- return: 1\n",
		"near.yaml":     "- return: 1\n",
		"_far.yml":      "- return: 1\n",
		"none.yml":      "# later\n",
	})})
	want := []string{
		`a.yml:5:3: unknown field 'lop' in a return task; did you mean "log"?`,
		`a.yml:6:3: no known kind of task: the first key is 'retrun'; did you mean "return"?`,
		`a.yml:7:9: "when" wants text, not a boolean; put it in quotes`,
		`a.yml:10:16: "declare" wants a map, not a list`,
		`a.yml:11:12: "log" wants info, debug or trace, not 'warning'`,
		`b.yml:2:1: while parsing a flow sequence: did not find expected ',' or ']'`,
		`c.yml:1:1: a pipeline is a list of tasks, not a map`,
		`d.yml:1:3: unknown field 'code' in a chip task; a task does one thing: write two tasks`,
		`a.yml:2:9: unknown chip "kit.ehco"; did you mean "kit.echo"?`,
		`a.yml:3:13: unknown pipeline "lib.shuot"; did you mean "lib.shout"?`,
		`e.yml:1:13: unknown pipeline "near"; near.yaml is not read: pipelines end in .yml`,
		`e.yml:2:13: unknown pipeline "far"; _far.yml is not read: its name begins with an underscore`,
		`e.yml:3:13: unknown pipeline "none"; none.yml holds no tasks`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load() differs (-want +got):\n%s", diff)
	}
}

func TestWarningsTellWhatMayFail(t *testing.T) {
	files := map[string]string{"main.yml": `
- chip: kit.greet
  params: {nmae: Ann, times: often, style: huge}
- when: "1 +"
  return: 1
- {chip: utils.json.loads, params: {string: "1"}, retry: 2}
- {chip: http.get, params: {url: "http://x"}, rescue: [{return: 1}]}
- {chip: http.get, params: {url: "http://x"}, timeout: 1s, rescue: [{return: 1}], finally: [{code: "1"}]}
- return: "{{ {'a': 1} }}"
- code: "never"
- loop: [1]
  tasks:
    - loop: [2]
      dispatch: main
      params: {v: "{{ item }}"}
`}
	c := load(t, engine.LoadOptions{}, files)
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, w.String())
	}
	for _, want := range []string{
		`main.yml:2:9: kit.greet: parameter "name" is missing`,
		`main.yml:3:18: kit.greet: unknown parameter "nmae"; did you mean "name"?`,
		`main.yml:3:30: kit.greet: "times" wants int, not 'often'`,
		`main.yml:3:44: kit.greet: "style" wants one of "plain", "loud", not 'huge'`,
		`main.yml:6:58: utils.json.loads tells what went wrong in its response and does not fail, so "retry" does nothing; guard a task set that asserts the status`,
		`main.yml:7:55: http.get tells what went wrong in its response and does not fail, so "rescue" does nothing; guard a task set that asserts the status`,
		`main.yml:9:11: "{{ {'a': 1} }}" holds {{ that begins no placeholder and stays text; inside a placeholder, braces are written \{ and \}`,
		`main.yml:10:3: this task is never reached: the return in task 6 always ends the list`,
		`main.yml:15:19: "v" uses the item of this task's own loop, not of the loop around it`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("Warnings() lack %q; they are:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "main.yml:8:") }) {
		t.Errorf("Warnings() = %q, want none of a timeout", got)
	}
	if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, `main.yml:4:9: "1 +": `) }) {
		t.Errorf("Warnings() lack the syntax error; they are:\n%s", strings.Join(got, "\n"))
	}
	if _, err := engine.Load(engine.LoadOptions{FS: fsOf(files), Chips: kitChips(), Strict: true}); err == nil {
		t.Error("Load() with Strict = nil, want the warnings as errors")
	}
}

func TestNamesOfPipelines(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(one, "a.yml"):           "- return: one\n",
		filepath.Join(one, "b/c.yml"):         "- return: 1\n",
		filepath.Join(one, "v1.2.yml"):        "- return: 1\n",
		filepath.Join(one, "x.yml.yml"):       "- return: 1\n",
		filepath.Join(one, ".hidden.yml"):     "- return: 1\n",
		filepath.Join(one, "_skipped.yml"):    "- nonsense\n",
		filepath.Join(one, "_kept/d.yml"):     "- return: 1\n",
		filepath.Join(one, "notes.yaml"):      "- nonsense\n",
		filepath.Join(one, "empty.yml"):       "[]\n",
		filepath.Join(two, "a.yml"):           "- return: two\n",
		filepath.Join(two, "..data/copy.yml"): "- return: 1\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := engine.Load(engine.LoadOptions{Dirs: []string{one, two}})
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	var names []string
	for _, p := range c.Pipelines() {
		names = append(names, p.Name)
		if !strings.HasPrefix(p.Digest, "sha256:") || len(p.Digest) != len("sha256:")+64 {
			t.Errorf("digest of %s = %q", p.Name, p.Digest)
		}
		if p.Name == "a" && p.File != filepath.Join(two, "a.yml") {
			t.Errorf("file of a = %q, want the later folder's", p.File)
		}
	}
	want := []string{".hidden", "_kept.d", "a", "b.c", "v1.2", "x"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("Pipelines() differ (-want +got):\n%s", diff)
	}
}

func TestTwoFilesOfOneName(t *testing.T) {
	c := load(t, engine.LoadOptions{}, map[string]string{"a.b.yml": "- return: 1\n", "a/b.yml": "- return: 2\n"})
	if w := c.Warnings(); len(w) != 1 || w[0].String() != `a/b.yml: not used: a.b.yml is pipeline "a.b" too` {
		t.Errorf("Warnings() = %v", w)
	}
}

// A volume of Kubernetes holds links into a folder that is swapped as one.
func TestAMountedVolumeIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "..2024_02_28"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "..2024_02_28", "a.yml"), []byte("- return: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"..data": "..2024_02_28", "a.yml": "..data/a.yml"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	c, err := engine.Load(engine.LoadOptions{Dirs: []string{dir}})
	if err != nil || len(c.Pipelines()) != 1 || c.Pipelines()[0].Name != "a" {
		t.Errorf("Load() = %v, %v, want the pipeline a alone", c, err)
	}
}

func TestALinkOutOfTheFolderIsNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret.yml")
	if err := os.WriteFile(outside, []byte("- return: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "a.yml")); err != nil {
		t.Skip(err)
	}
	if _, err := engine.Load(engine.LoadOptions{Dirs: []string{dir}}); err == nil {
		t.Error("Load() = nil, want an error: the link leads out of the folder")
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	bomb := "- declare:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		was, now := string(rune('0'+i-1)), string(rune('0'+i))
		bomb += "    a" + now + ": &a" + now + " [" + strings.Repeat("*a"+was+", ", 9) + "*a" + was + "]\n"
	}
	for _, tt := range []struct {
		name, text, want string
	}{
		{"an alias bomb", bomb, "more than 200000 values once its aliases are written out"},
		{"deep nesting in flow style", "- return: " + strings.Repeat("[", 10_000), "exceeded max depth of 100"},
		{"deep nesting in block style", strings.Repeat("- ", 10_000) + "1", "exceeded max depth of 100"},
		{"deep nesting by aliases", deepAliases(), "nested deeper than 100 levels"},
		{"an alias inside itself", "- return: &a [*a]", "alias *a stands inside what it stands for"},
		{"a large file", "- return: " + strings.Repeat("x", 2<<20), "the file is larger than 1048576 bytes"},
		{"a tag of a language", "- return: !!python/object/apply:os.system [ls]", "unknown tag"},
		{"two documents", "- return: 1\n---\n- return: 2\n", "a second document in the file"},
		{"a key twice", "- return: 1\n  return: 2\n", "duplicate key 'return'"},
		{"a key that is a list", "- return: {[1]: 2}\n", "a key must be a scalar, not a list"},
		{"a control character", "- return: \x01\n", "control characters are not allowed"},
		{"a wrong tag", "- return: !!int x\n", `"x" is no int`},
		{"a tag on a list", "- return: !x [1]\n", `unknown tag "!x"`},
		{"broken base64", "- return: !!binary '*'\n", "decode !!binary"},
		{"a merge of text", "- return: {<<: x}\n", "a merge key wants a map or a list of maps, not text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := problems(t, engine.LoadOptions{FS: fsOf(map[string]string{"main.yml": tt.text})})
			if len(got) == 0 || !strings.Contains(got[0], tt.want) {
				t.Errorf("Load() = %q, want %q", got, tt.want)
			}
		})
	}
}

// deepAliases nests each value one level deeper than the one before.
func deepAliases() string {
	var b strings.Builder
	b.WriteString("- declare:\n    a0: &a0 [x]\n")
	last := "a0"
	for i := range 200 {
		name := "a" + strings.Repeat("b", i+1)
		b.WriteString("    " + name + ": &" + name + " [*" + last + "]\n")
		last = name
	}
	return b.String()
}

func TestScalarsAreReadAsYAML12(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"yes", `"yes"`}, {"Off", `"Off"`}, {"TRUE", "true"}, {"False", "false"},
		{"~", "null"}, {"Null", "null"}, {"", "null"}, {"nulL", `"nulL"`},
		{"012", "12"}, {"0755", "755"}, {"0899", "899"}, {"-012", "-12"}, {"+7", "7"}, {"1_000", "1000"},
		{"0o14", "12"}, {"0x1f", "31"}, {"0b101", "5"}, {"-0x10", "-16"}, {"0o8", `"0o8"`},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"1e3", "1000.0"}, {"1.", "1.0"}, {".5", "0.5"}, {"1_0.5", "10.5"}, {"-0.0", "-0.0"}, {"1e400", `"inf"`},
		{"12:30", `"12:30"`}, {"1.2.3", `"1.2.3"`}, {"+", `"+"`}, {".", `"."`}, {"0x", `"0x"`},
		{"2024-13-01", `"2024-13-01"`},
		{"'5'", `"5"`}, {"'2024-01-01'", `"2024-01-01"`}, {"2024-02-30 10:00:00", `"2024-02-30 10:00:00"`}, {"!!binary aGk=", `"hi"`}, {"!!null x", "null"}, {"!!timestamp 2024-01-02", `"2024-01-02"`},
		{"!!str 5", `"5"`}, {"!!int '5'", "5"}, {"!!float 5", "5.0"}, {"!!bool 'true'", "true"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			text := "- declare:\n    v: " + tt.in + "\n- return: '{{ str(v) if v == v * 2 and v else v }}'\n"
			if tt.want != `"inf"` {
				text = "- return: " + tt.in + "\n"
			}
			result(t, single(t, text), "", want)
		})
	}
}

func TestMergeKeys(t *testing.T) {
	result(t, single(t, `
- return:
    base: &base {a: 1, b: 2}
    one: {<<: *base, b: 3}
    two: {b: 4, <<: [{c: 5}, *base]}
`), "", `{"base":{"a":1,"b":2},"one":{"a":1,"b":3},"two":{"c":5,"a":1,"b":4}}`)
}

func TestLoadFailsOnAFolderThatIsNotThere(t *testing.T) {
	_, err := engine.Load(engine.LoadOptions{Dirs: []string{filepath.Join(t.TempDir(), "gone")}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load() = %v, want one that there is no such folder", err)
	}
}

func TestReadVariables(t *testing.T) {
	for _, tt := range []struct{ name, in, want, wantErr string }{
		{name: "JSON", in: `{"b": 1, "a": [1.0, 12345678901234567890]}`, want: `{"b":1,"a":[1.0,12345678901234567890]}`},
		{name: "YAML", in: "b: yes\na: {x: 1}\n", want: `{"b":"yes","a":{"x":1}}`},
		{name: "nothing", in: "# nothing\n", want: "{}"},
		{name: "null", in: "null", wantErr: "vars.yml:1:1: wants a map of names to values, got null"},
		{name: "a list", in: "[1]", wantErr: "vars.yml:1:1: wants a map of names to values, got a list"},
		{name: "broken", in: "a: [1\n", wantErr: "vars.yml:2:1: while parsing a flow sequence"},
		{name: "two documents", in: "a: 1\n---\nb: 1\n", wantErr: `"vars.yml" holds 2 documents`},
		{name: "too much", in: strings.Repeat("#", 2<<20), wantErr: `"vars.yml" is larger than the limit`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := engine.ReadVariables("vars.yml", strings.NewReader(tt.in))
			if tt.wantErr == "" && (err != nil || string(got) != tt.want) {
				t.Errorf("ReadVariables() = %s, %v, want %s", got, err, tt.want)
			}
			if tt.wantErr != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.wantErr)) {
				t.Errorf("ReadVariables() = %s, %v, want %s", got, err, tt.wantErr)
			}
		})
	}
}
