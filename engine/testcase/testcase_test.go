package testcase_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
	"github.com/pullrun/pullrun/engine/testcase"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func runner() *testcase.Runner {
	return testcase.NewRunner(testcase.Options{Chips: engine.NewChips(chips.Standard(chips.Options{})...)})
}

// fetch is a case about a pipeline that fetches something once for each of n,
// followed by what the test is about.
const fetch = `
entry: main
variables: {n: 2}
pipelines:
  main:
  - chip: http.get
    loop: "{{ range(n) }}"
    params: {url: "https://api.example.com/{{ item }}"}
    append_result_into: pages
  - return: "{{ [p.text for p in pages] }}"
`

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       string // the error
	}{
		{name: "one answer to every call", text: fetch + "chips: {http.get: {text: a}}\nexpect: {result: [a, a]}"},
		{name: "one answer after the other", text: fetch + "chips: {http.get: [{text: a}, {text: b}]}\nexpect: {result: [a, b]}"},
		{name: "a chip by its long name", text: fetch + "chips: {reasonchip.chipsets.http.get: {text: a}}\nexpect: {result: [a, a]}"},
		{name: "an answer that is an error", text: fetch + "chips: {http.get: [{text: a}, {error: no route}]}\nexpect: {error: ChipException, at: main/1, cause: RuntimeError}"},
		{
			name: "a call without an answer", text: fetch + "expect: {error: any}",
			want: "a.test.yml:11: main/1 calls http.get, which has no answer in the case",
		},
		{
			name: "a call too many", text: fetch + "chips: {http.get: [{text: a}]}\nexpect: {error: any}",
			want: "a.test.yml:12: main/1 calls http.get for the 2. time, which has only 1 answers in the case",
		},
		{
			name: "a call without an answer that the pipeline gets over",
			text: "entry: main\npipelines: {main: [{tasks: [{chip: http.get, params: {url: x}}], rescue: [{return: 1}], return_result: true}]}\nexpect: {result: 1}",
			want: "a.test.yml:3: <taskset>/1 calls http.get, which has no answer in the case",
		},
		{name: "harmless chips need no answer", text: "entry: main\npipelines: {main: [{chip: utils.json.dumps, params: {obj: [1]}}, {return: '{{ _.result }}'}]}\nexpect: {result: '[1]'}"},
		{name: "harmless chips may have one", text: "entry: main\nchips: {utils.json.dumps: {result: x}}\npipelines: {main: [{chip: utils.json.dumps, params: {obj: [1]}}, {return: '{{ _.status + _.result }}'}]}\nexpect: {result: OKx}"},
		{name: "params are checked all the same", text: "entry: main\nchips: {http.get: {}}\npipelines: {main: [{chip: http.get, params: {uri: x}}]}\nexpect: {error: InvalidChipParametersException, at: main/1}"},
		{name: "ours goes before expect", text: "entry: main\npipelines: {main: [{return: 2}]}\nexpect: {result: 1}\nours: {result: 2}\nwhy: it is better"},
		{name: "a pipeline as text", text: "entry: sub.main\npipelines: {sub/main.yml: '- return: 0o17'}\nexpect: {result: 15}"},
		{name: "null is a result", text: "entry: main\npipelines: {main: [{return: null}]}\nexpect: {result: }"},
		{name: "values are read as in pipelines", text: "entry: main\nvariables: {d: 012}\npipelines: {main: [{return: ['{{ d }}', 1_000]}]}\nexpect: {result: [12, 1000]}"},
		{name: "variables count as the author's", text: "entry: main\nvariables: {a: '{{ b }}', b: 3}\npipelines: {main: [{return: var(a)}]}\nexpect: {result: 3}"},
		{
			name: "secrets are given by the case, or made up",
			text: "entry: main\nsecrets: {a: abcdef}\npipelines:\n  main: |\n    secrets: {a: {env: NOT_SET}, b: {file: /not/there}}\n    ---\n    - return: ['{{ len(secrets.a) }}', '{{ secrets.a[::-1] }}', '{{ secrets.b.title() }}', '{{ secrets.b }}']\nexpect: {result: [6, fedcba, Secret B, '[secret]']}",
		},
		{
			name: "a secret that is too short", text: "entry: main\nsecrets: {a: abc}\npipelines:\n  main: |\n    secrets: {a: {env: NOT_SET}}\n    ---\n    - return: 1\nexpect: {result: 1}",
			want: "a.test.yml:8: ValidationException: secret \"a\": what stands for it holds fewer than 6 characters, which cannot be hidden",
		},
		{name: "a float is no integer", text: "entry: main\npipelines: {main: [{return: 1}]}\nexpect: {result: 1.0}", want: "a.test.yml:3: the result differs (- expected, + got)\n- 1.0\n+ 1"},
		{name: "an integer is no float", text: "entry: main\npipelines: {main: [{return: 1.0}]}\nexpect: {result: 1}", want: "a.test.yml:3: the result differs (- expected, + got)\n- 1\n+ 1.0"},
		{name: "the order of keys does not matter", text: "entry: main\npipelines: {main: [{return: {a: 1, b: 2}}]}\nexpect: {result: {b: 2, a: 1}}"},
		{
			name: "what differs is shown with what is around", text: "entry: main\npipelines: {main: [{return: {a: 1, b: [x, y, z], c: 3}}]}\nexpect:\n  result: {a: 1, b: [x, q, z], c: 3}",
			want: "a.test.yml:4: the result differs (- expected, + got)\n" + `    "a": 1,
    "b": [
      "x",
-     "q",
+     "y",
      "z"
    ],
    "c": 3`,
		},
		{
			name: "an error in place of a result", text: "entry: main\npipelines: {main: [{name: halve, code: 1 / 0}]}\nexpect: {result: 1}",
			want: "a.test.yml:3: CodeExecutionException at main/1: \"1 / 0\": ZeroDivisionError: division by zero\nmain/1 halve (main.yml:1)",
		},
		{name: "a result in place of an error", text: "entry: main\npipelines: {main: [{return: 1}]}\nexpect: {error: ChipException}", want: "a.test.yml:3: the run gives 1, where ChipException is expected"},
		{
			name: "an error of another class", text: "entry: main\npipelines: {main: [{assert: 1 > 2}]}\nexpect: {error: ChipException}",
			want: "a.test.yml:3: AssertException at main/1: \"1 > 2\" does not hold; ChipException is expected\nmain/1 (main.yml:1)",
		},
		{
			name: "an error elsewhere", text: "entry: main\npipelines: {main: [{assert: 1 > 2}]}\nexpect: {error: AssertException, at: main/2}",
			want: "a.test.yml:3: AssertException at main/1: \"1 > 2\" does not hold; it is expected at main/2\nmain/1 (main.yml:1)",
		},
		{
			name: "an error for another reason", text: "entry: main\npipelines: {main: [{code: 1 / 0}]}\nexpect: {error: CodeExecutionException, cause: KeyError}",
			want: "a.test.yml:3: CodeExecutionException at main/1: \"1 / 0\": ZeroDivisionError: division by zero; the cause is \"ZeroDivisionError\", where \"KeyError\" is expected\nmain/1 (main.yml:1)",
		},
		{name: "an error while loading", text: "entry: main\npipelines: {main: [{retrun: 1}]}\nexpect: {error: ParsingException, phase: load, at: main/1}"},
		{name: "an error while validating", text: "entry: main\npipelines: {main: [{dispatch: sub}]}\nexpect: {error: ValidationException, phase: validate}"},
		{
			name: "pipelines that cannot be loaded", text: "entry: main\npipelines: {main: [{dispatch: mian}]}\nexpect: {result: 1}",
			want: "a.test.yml:3: the pipelines cannot be loaded, where a result is expected\nmain.yml:1:13: unknown pipeline \"mian\"; did you mean \"main\"?",
		},
		{
			name: "a phase that does not come", text: "entry: main\npipelines: {main: [{assert: 1 > 2}]}\nexpect: {error: any, phase: load}",
			want: "a.test.yml:3: AssertException at main/1: \"1 > 2\" does not hold; a failure in phase \"load\" is expected\nmain/1 (main.yml:1)",
		},
		{name: "no pipelines at all", text: "entry: main\nexpect: {result: 1}", want: "a.test.yml:2: the case has no pipelines"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runner()
			cases, err := r.Read("a.test.yml", []byte(tt.text))
			if err != nil || len(cases) != 1 {
				t.Fatalf("Read() = %d cases, %v", len(cases), err)
			}
			got := ""
			if err := r.Run(t.Context(), cases[0]); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Run() differs (-want +got):\n%s", diff)
			}
			// Answers are counted anew for each run.
			if again := r.Run(t.Context(), cases[0]); (again == nil) != (got == "") {
				t.Errorf("Run() again = %v", again)
			}
		})
	}
}

func TestReadWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, want string
	}{
		{name: "all at once", text: "nmae: x\nchips: {http.gte: {}}\nexpect: {}", want: `a.test.yml:1:1: unknown key "nmae"; a case has name, doc, entry, variables, secrets, pipelines, chips, expect, ours, why
a.test.yml:2:9: unknown chip "http.gte"; did you mean "http.get"?
a.test.yml:1:1: entry is missing: the pipeline to run
a.test.yml:3:9: an expectation has either result or error`},
		{name: "no expectation", text: "entry: main", want: "a.test.yml:1:1: expect is missing: the result or the error"},
		{name: "a result and an error", text: "entry: main\nexpect: {result: 1, error: any}", want: "a.test.yml:2:9: an expectation has either result or error"},
		{name: "an unknown phase", text: "entry: main\nexpect: {error: any, phase: run}", want: `a.test.yml:2:29: phase is load or validate, not "run"`},
		{name: "an unknown key of an expectation", text: "entry: main\nexpect: {reslut: 1, error: any}", want: `a.test.yml:2:10: unknown key "reslut"; an expectation has result, or error, at, phase and cause`},
		{name: "an answer that the chip cannot give", text: "entry: main\nchips: {http.get: {code: 200}}\nexpect: {result: 1}", want: `a.test.yml:2:19: response of http.get: "code" is not known`},
		{name: "one of several answers", text: "entry: main\nchips:\n  http.get:\n  - {}\n  - {status: FINE}\nexpect: {result: 1}", want: `a.test.yml:5:5: response of http.get: "status" wants one of`},
		{name: "an answer for the chip that waits", text: "entry: main\nchips: {reasonchip.async.wait_for: {}}\nexpect: {result: 1}", want: `a.test.yml:2:9: reasonchip.async.wait_for waits for what really happens, and cannot be answered for`},
		{name: "a file outside", text: "entry: main\npipelines: {../main.yml: []}\nexpect: {result: 1}", want: `a.test.yml:2:13: "../main.yml" is neither a pipeline nor a file`},
		{name: "a second document that is no case", text: "entry: main\nexpect: {result: 1}\n---\n- 1", want: `a.test.yml:4:1: a case is a map`},
		{name: "no YAML", text: "entry: [", want: `a.test.yml: `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := runner().Read("a.test.yml", []byte(tt.text))
			if !errors.As(err, new(*engine.LoadError)) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Read() = %v, want %s", err, tt.want)
			}
		})
	}
}

// folder makes a directory of files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDir(t *testing.T) {
	t.Parallel()
	const (
		plain   = "entry: main\npipelines: {main: [{return: 1}]}\nexpect: {result: 1}"
		sharing = "entry: sub.main\nexpect: {result: 1}"
	)
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string // names of cases that pass
		err   string
	}{
		{
			name: "cases lie beside pipelines, which they run",
			files: map[string]string{
				"sub/main.yml": "- return: 1", "sub/_main.test.yml": sharing, "other.test.yml": "name: by name\n" + sharing,
				"settings.yaml": "listen: 0.0.0.0", ".git/x.test.yml": "nonsense", "notes.txt": "nonsense",
			},
			want: []string{"by name", "main"},
		},
		{
			name:  "without pipelines, every file is a case",
			files: map[string]string{"a.yaml": plain, "sub/b.test.yml": plain, "c.txt": "nonsense"},
			want:  []string{"b", "a"},
		},
		{
			name:  "a file may hold several",
			files: map[string]string{"_a.test.yml": plain + "\n---\n" + plain + "\n---\nname: third\n" + plain},
			want:  []string{"a 1", "a 2", "third"},
		},
		{
			name:  "everything that is wrong is told",
			files: map[string]string{"main.yml": "- retrun: 1", "_a.test.yml": sharing, "_b.test.yml": "entry: main"},
			err:   "_b.test.yml:1:1: expect is missing: the result or the error\nmain.yml:1:3: no known kind of task",
		},
		{
			name:  "pipelines that no case runs do not matter",
			files: map[string]string{"main.yml": "- retrun: 1", "_a.test.yml": plain},
			want:  []string{"a"},
		},
		{name: "there may be none", files: map[string]string{"main.yml": "- return: 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, tt.files)
			r := runner()
			cases, err := r.Dir(dir)
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), tt.err) {
					t.Errorf("Dir() = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, c := range cases {
				names = append(names, c.Name)
				if err := r.Run(t.Context(), c); err != nil {
					t.Errorf("%s: %v", c.Name, err)
				}
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("cases differ (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := runner().Dir("nowhere"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Dir() = %v, want %v", err, os.ErrNotExist)
	}
}

// The stack of a failure names the files as they are found.
func TestFailureNamesFiles(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"main.yml": "- code: 1 / 0", "_main.test.yml": "entry: main\nexpect: {result: 1}"})
	r := runner()
	cases, err := r.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var f *testcase.Failure
	if err := r.Run(t.Context(), cases[0]); !errors.As(err, &f) {
		t.Fatalf("Run() = %v, want a Failure", err)
	}
	if want := "main/1 (" + filepath.Join(dir, "main.yml") + ":1)"; f.Detail != want || f.File != filepath.Join(dir, "_main.test.yml") || f.Line != 2 {
		t.Errorf("Run() = %+v, want the detail %s", f, want)
	}
}

// A run that is interrupted has neither passed nor failed.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := runner()
	cases, err := r.Read("a.yaml", []byte("entry: main\npipelines: {main: [{chip: utils.time.sleep, params: {milliseconds: 60000}}]}\nexpect: {error: any}"))
	if err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(stopped)
	if err := r.Run(ctx, cases[0]); !errors.Is(err, stopped) {
		t.Errorf("Run() = %v, want %v", err, stopped)
	}
}

// However much differs, a failure stays short.
func TestFailureIsBounded(t *testing.T) {
	t.Parallel()
	r := runner()
	cases, err := r.Read("a.yaml", []byte(`
entry: main
pipelines: {main: [{return: "{{ list(range(5000)) }}"}]}
expect: {result: [`+strings.Repeat("x, ", 5000)+`x]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var f *testcase.Failure
	if err := r.Run(t.Context(), cases[0]); !errors.As(err, &f) {
		t.Fatalf("Run() = %v, want a Failure", err)
	}
	if n := strings.Count(f.Detail, "\n"); n != 200 || !strings.Contains(f.Detail, "\n+   0,\n") || !strings.Contains(f.Detail, "\n-   \"x\",\n") {
		t.Errorf("the detail has %d line breaks:\n%s", n, f.Detail)
	}
}
