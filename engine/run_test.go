package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

func TestClientTextIsNeverEvaluated(t *testing.T) {
	c := single(t, `
- declare: {author: 7, copy: "{{ text }}", list: ["{{ text }}"]}
- code: text
  store_result_as: coded
- chip: kit.echo
  params: {value: "{{ text }}"}
  store_result_as: echoed
- tasks:
    - declare: {joined: "{{ hello + text }}"}
    - return: var(joined)
  variables: {hello: "{{ author }} "}
  store_result_as: joined
- code: xs.append(text) or xs
  variables: {xs: []}
  store_result_as: grown
- return:
    - "{{ text }}"
    - "<{{ text }}>"
    - var(text)
    - var(deep)
    - var(deep.a[0])
    - var(copy)
    - var(list)
    - var(coded)
    - var(echoed.value)
    - "{{ joined }}"
    - var(grown)
    - "{{ [t for t in [text]] }}"
`)
	for _, text := range []string{
		"{{ author }}", "var(author)", "{{ 1 / 0 }}", "{{ ().__class__ }}", "{{ author }} and {{ author }}",
		`\{{ author }}`, "var(var(author))", "{{ author", "__import__('os')",
	} {
		quoted, _ := json.Marshal(text)
		var v, joined string
		v = string(quoted)
		q, _ := json.Marshal("{{ author }} " + text)
		joined = string(q)
		around, _ := json.Marshal("<" + text + ">")
		want := fmt.Sprintf(`[%[1]s,%[2]s,%[1]s,{"a":[%[1]s]},%[1]s,%[1]s,[%[1]s],%[1]s,%[1]s,%[3]s,[%[1]s],[%[1]s]]`, unescaped(v), unescaped(string(around)), unescaped(joined))
		result(t, c, fmt.Sprintf(`{"text": %s, "deep": {"a": [%s]}}`, v, v), want)
	}
}

// unescaped undoes what encoding/json does to < and >.
func unescaped(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(s)
}

func TestVarRendersWhatTheAuthorWrote(t *testing.T) {
	c := single(t, `
- tasks:
    - declare: {copy: "{{ greeting }}", made: "{{ unescape(raw) }}"}
    - return: [var(greeting), var(copy), var(made), var(all)]
  variables:
    greeting: Dear {{ name }}
    raw: 'Hi \{{ name }}'
    all: [{g: "var(greeting)"}]
  return_result: true
`)
	result(t, c, `{"name": "{{ 1 }}"}`, `["Dear {{ 1 }}","Dear {{ 1 }}","Hi {{ 1 }}",[{"g":"Dear {{ 1 }}"}]]`)
}

func TestTrustedVariablesAreRendered(t *testing.T) {
	c := single(t, "- return: [var(a), '{{ a }}']\n")
	in := engine.Input{Pipeline: "main", Variables: json.RawMessage(`{"a": "{{ 1 + 1 }}"}`), Trusted: true}
	out, err := c.Run(t.Context(), in)
	if want := `[2,"{{ 1 + 1 }}"]`; err != nil || string(out.Result) != want {
		t.Errorf("Run() = %s, %v, want %s", out.Result, err, want)
	}
}

func TestFalsyResultsAreDeliveredAsTheyAre(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "0.0": "0.0", "''": `""`, "[]": "[]", "{}": "{}", "false": "false", "null": "null", "-0.0": "-0.0",
	} {
		result(t, single(t, "- return: "+in+"\n"), "", want)
		result(t, single(t, "- tasks:\n    - return: "+in+"\n  return_result: true\n"), "", want)
	}
	result(t, single(t, "- code: '1'\n"), "", "null")
}

func TestVariablesMustBeAnObject(t *testing.T) {
	c := single(t, "- return: 1\n")
	for _, variables := range []string{"[1]", "1", "{", `{"a": 1} x`, strings.Repeat("[", 100_000)} {
		_, err := run(t.Context(), c, variables)
		failsWith(t, err, engine.ValidationException)
	}
	result(t, c, "null", "1")
	result(t, c, "", "1")
}

func TestAnUnknownPipelineIsTold(t *testing.T) {
	c := load(t, engine.LoadOptions{}, map[string]string{"hello.yml": "- return: 1\n", "world.yaml": ""})
	for name, want := range map[string]string{
		"helo":  `NoSuchPipelineException: unknown pipeline "helo"; did you mean "hello"?`,
		"world": `NoSuchPipelineException: unknown pipeline "world"; world.yaml is not read: pipelines end in .yml`,
	} {
		_, err := c.Run(t.Context(), engine.Input{Pipeline: name})
		if err == nil || err.Error() != want {
			t.Errorf("Run(%s) = %v, want %s", name, err, want)
		}
	}
}

func TestAnErrorTellsWhereAndWhy(t *testing.T) {
	c := load(t, engine.LoadOptions{}, map[string]string{
		"main.yml":    "- comment: c\n- name: outer\n  tasks:\n    - dispatch: lib.sub\n      name: go\n",
		"lib/sub.yml": "- declare: {m: {}}\n- code: |\n    x = 1\n    m['key']\n",
	})
	_, err := run(t.Context(), c, "")
	e := failsWith(t, err, engine.CodeExecutionException)
	if want := `CodeExecutionException at main/2 > <taskset>/1 > lib.sub/2: line 2, "m['key']": KeyError: 'key'`; e.Error() != want {
		t.Errorf("Error() = %s, want %s", e.Error(), want)
	}
	want := "main/2 outer (main.yml:2)\n<taskset>/1 go (main.yml:4)\nlib.sub/2 (lib/sub.yml:2)"
	if diff := cmp.Diff(want, e.Stack()); diff != "" {
		t.Errorf("Stack() differs (-want +got):\n%s", diff)
	}
	if e.CauseClass() != "KeyError" {
		t.Errorf("CauseClass() = %q, want KeyError", e.CauseClass())
	}
}

func TestAnErrorInCodeTellsItsLine(t *testing.T) {
	for code, want := range map[string]string{
		"|\n    # first\n    def half(x):\n        return x / 0\n    half(1)\n": `line 3, "return x / 0": ZeroDivisionError: division by zero`,
		"|\n\n    for x in [1]:\n        half(x)\n":                             `line 3, "half(x)": NameError: name 'half' is not defined`,
		"|\n    x = 1\n    while x > 0: [0] * (1 << 40)\n":                      `line 2, "while x > 0: [0] * (1 << 40)": evaluation exceeds its memory limit of 67108864`,
		"|\n    1 / 0\n": `"1 / 0": ZeroDivisionError: division by zero`,
	} {
		_, err := run(t.Context(), single(t, "- code: "+code), "")
		if err == nil || !strings.HasSuffix(err.Error(), "at main/1: "+want) {
			t.Errorf("%s: Run() = %v, want %s", code, err, want)
		}
	}
}

func TestADeepErrorIsReadable(t *testing.T) {
	_, err := run(t.Context(), single(t, "- dispatch: main\n"), "")
	e := failsWith(t, err, engine.LimitException)
	want := "LimitException at main/1 > main/1 > main/1 > main/1 > main/1 > ... 290 levels ... > main/1 > main/1 > main/1 > main/1 > main/1: " +
		"the run reached its limit on depth of 300 levels"
	if e.Error() != want {
		t.Errorf("Error() = %s, want %s", e.Error(), want)
	}
	if n := len(strings.Split(e.Stack(), "\n")); n != 300 {
		t.Errorf("Stack() has %d lines, want 300", n)
	}
}

func TestAPanickingChipFailsItsTask(t *testing.T) {
	chip := engine.NewChip("bad.chip", "Panics.", func(context.Context, struct{}) (struct{}, error) {
		panic("out of cheese")
	})
	var log bytes.Buffer
	c := load(t, engine.LoadOptions{Chips: engine.NewChips(chip)}, map[string]string{
		"main.yml": "- chip: bad.chip\n  run_async: true\n  store_result_as: h\n- chip: reasonchip.async.wait_for\n  params: {task: '{{ h }}'}\n",
	})
	_, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Log: slog.New(slog.NewTextHandler(&log, nil))})
	e := failsWith(t, err, engine.ChipException)
	if !strings.Contains(e.Message, "panic: out of cheese") {
		t.Errorf("Run() = %v, want the panic told", err)
	}
	if !strings.Contains(log.String(), "run_test.go") {
		t.Errorf("the log lacks the stack:\n%s", log.String())
	}
}

func TestARunEndsSoonAfterItsContext(t *testing.T) {
	for _, tt := range []struct{ name, text, at string }{
		{"in a chip", "- tasks:\n    - chip: kit.sleep\n      params: {ms: 60000}\n", "main/1 > <taskset>/1"},
		{"in code", "- code: |\n    while True: pass\n", "main/1"},
		{"in an expression", "- return: '{{ sum(1 for x in range(10 ** 12)) }}'\n", "main/1"},
		{"in a loop", "- loop: '{{ range(1000000) }}'\n  code: '1'\n", "main/1"},
		{"while it waits", "- chip: kit.sleep\n  params: {ms: 60000}\n  run_async: true\n  store_result_as: h\n- chip: reasonchip.async.wait_for\n  params: {task: '{{ h }}'}\n", "main/2"},
		{"while it retries", "- chip: kit.fail\n  retry: {max: 1000, backoff: 1m}\n", "main/1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, engine.LoadOptions{Limits: engine.Limits{EvalSteps: 1 << 40, Steps: 1 << 40, EvalMemory: 1 << 40}},
				map[string]string{"main.yml": tt.text})
			cause := errors.New("the client changed its mind")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
			began := time.Now()
			_, err := run(ctx, c, "")
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("Run() took %v", took)
			}
			e := failsWith(t, err, engine.CancelledException)
			if !errors.Is(err, cause) || e.At != tt.at {
				t.Errorf("Run() = %v at %s, want the cause %v at %s", err, e.At, cause, tt.at)
			}
		})
	}
}

func TestAChipThatIgnoresItsContextIsLeftBehind(t *testing.T) {
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	chip := engine.NewChip("bad.chip", "Does not listen.", func(context.Context, struct{}) (struct{}, error) {
		cancel()
		<-release
		return struct{}{}, nil
	})
	c := load(t, engine.LoadOptions{Chips: engine.NewChips(chip), Limits: engine.Limits{Grace: 20 * time.Millisecond}},
		map[string]string{"main.yml": "- chip: bad.chip\n"})
	_, err := run(ctx, c, "")
	failsWith(t, err, engine.CancelledException)
	if !errors.Is(err, engine.ErrLeftBehind) || !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v, want ErrLeftBehind and the cause", err)
	}
	close(release)
}

func TestARunThatWasStoppedByForceSaysSo(t *testing.T) {
	for _, tt := range []struct {
		name, task string
		stop       bool
		want       bool
	}{
		{"the run was stopped", "- chip: bad.chip\n", true, true},
		{"the run was stopped, and the chip is in the background", "- chip: bad.chip\n  run_async: true\n", true, true},
		{"a task took too long", "- chip: bad.chip\n  timeout: 1ms\n  rescue: [{comment: on it goes}]\n", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			chip := engine.NewChip("bad.chip", "Is killed.", func(ctx context.Context, _ struct{}) (struct{}, error) {
				if tt.stop {
					cancel()
				}
				<-ctx.Done()
				engine.Killed(ctx)
				return struct{}{}, context.Cause(ctx)
			})
			c := load(t, engine.LoadOptions{Chips: engine.NewChips(chip)}, map[string]string{"main.yml": tt.task})
			out, err := c.Run(ctx, engine.Input{Pipeline: "main"})
			if out.Killed != tt.want || (err != nil) != tt.stop {
				t.Errorf("Run() = killed %t, %v, want %t", out.Killed, err, tt.want)
			}
		})
	}
}

func TestAResultThatIsNoDataIsAnError(t *testing.T) {
	for _, text := range []string{
		"- chip: kit.sleep\n  params: {ms: 1}\n  run_async: true\n  return_result: true\n",
		"- return: {a: ['{{ lambda: 1 }}']}\n",
		"- return: '{{ float(\"nan\") }}'\n",
	} {
		_, err := run(t.Context(), single(t, text), "")
		failsWith(t, err, engine.EvaluationException)
	}
}

func TestBytesInAResultAreText(t *testing.T) {
	result(t, single(t, "- return: [\"{{ 'Grüße'.encode() }}\", {a: \"{{ (b'x', [b'\\\\xff']) }}\"}]\n"), "", `["Grüße",{"a":["x",["/w=="]]}]`)
	_, err := run(t.Context(), single(t, "- code: |\n    xs = [b'x']\n    xs.append(xs)\n    xs.append(xs)\n    xs\n  return_result: true\n"), "")
	if err == nil {
		t.Error("Run() = nil, want an error for a list inside itself")
	}
}

func TestDatesInAFileAreDates(t *testing.T) {
	result(t, single(t, "- declare: {d: 2024-02-28, t: 2024-02-28 10:30:00, z: 2024-02-28T10:30:00.5+02:00}\n"+
		"- return: ['{{ d.year }}', '{{ t.hour }}', '{{ z }}', 2024-02-29, '{{ d }}']\n"), "",
		`[2024,10,"2024-02-28T08:30:00.500000","2024-02-29","2024-02-28"]`)
}

func TestTasksLogWhatTheyAreToldTo(t *testing.T) {
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "took" {
				return slog.Attr{}
			}
			return a
		},
	}))
	c := single(t, `
- {code: "1", log: info}
- {code: "2", log: trace}
- {code: "print('a', 1)", log: null}
- {chip: reasonchip.debug.log, params: {level: warning, message: [1, a]}}
- {code: "1 / 0", log: debug}
`)
	_, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Log: log})
	failsWith(t, err, engine.CodeExecutionException)
	want := `level=INFO msg="task done" pipeline=main task=main/1
level=INFO msg=print pipeline=main text="a 1"
level=WARN msg=log pipeline=main text="[1, 'a']"
level=DEBUG msg="task done" pipeline=main task=main/5 err="CodeExecutionException at main/5: \"1 / 0\": ZeroDivisionError: division by zero"
`
	if diff := cmp.Diff(want, buf.String()); diff != "" {
		t.Errorf("the log differs (-want +got):\n%s", diff)
	}
}

func TestTimeIsTheRunsOwn(t *testing.T) {
	c := load(t, engine.LoadOptions{}, map[string]string{"main.yml": "- chip: kit.sleep\n  params: {ms: 7200000}\n"})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := run(t.Context(), c, "")
		failsWith(t, err, engine.LimitException)
		if took := time.Since(began); took != time.Hour {
			t.Errorf("Run() took %v, want 1h0m0s", took)
		}
	})
}

func TestManyRunsAtOnceShareOneCollection(t *testing.T) {
	c := single(t, `
- declare: {xs: [1, 2], m: {a: {b: 1}}}
- loop: [1, 2, 3]
  run_async: true
  tasks:
    - declare:
        m: {a: {c: "{{ item }}"}}
        xs[0]: "{{ item }}"
    - code: xs.append(item) or m.a.update(d=item) or len(xs)
- code: xs.append(3) or xs
  return_result: true
`)
	done := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 50 {
				got, e := run(t.Context(), c, `{"y": [1]}`)
				if e != nil || got != "[1,2,3]" {
					err = fmt.Errorf("Run() = %s, %w", got, e)
				}
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
