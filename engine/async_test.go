package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/engine"
)

// counter is a chip that waits and counts how it ended.
type counter struct {
	finished, stopped atomic.Int64
}

func (c *counter) chips() *engine.Chips {
	return engine.NewChips(engine.NewChip("count.sleep", "Waits and counts.",
		func(ctx context.Context, r sleepRequest) (struct{}, error) {
			if err := pause(ctx, r.Ms); err != nil {
				c.stopped.Add(1)
				return struct{}{}, err
			}
			c.finished.Add(1)
			return struct{}{}, nil
		}))
}

func TestBackgroundTasksBelongToTheRun(t *testing.T) {
	for _, tt := range []struct {
		name, text        string
		cancelAfter       time.Duration
		finished, stopped int64
		took              time.Duration
		class             string
	}{
		{
			name:     "they finish before the run ends",
			text:     "- loop: [1000, 5000]\n  chip: count.sleep\n  params: {ms: '{{ item }}'}\n  run_async: true\n- return: 1\n",
			finished: 2, took: 5 * time.Second,
		},
		{
			name:        "they are cancelled with the run",
			text:        "- loop: [1000, 5000]\n  chip: count.sleep\n  params: {ms: '{{ item }}'}\n  run_async: true\n- return: 1\n",
			cancelAfter: 2 * time.Second,
			finished:    1, stopped: 1, took: 2 * time.Second, class: engine.CancelledException,
		},
		{
			name:    "they stop when the run fails",
			text:    "- chip: count.sleep\n  params: {ms: 5000}\n  run_async: true\n- assert: 'False'\n",
			stopped: 1, class: engine.AssertException,
		},
		{
			name:     "they finish when the run terminates",
			text:     "- chip: count.sleep\n  params: {ms: 5000}\n  run_async: true\n- terminate: 1\n",
			finished: 1, took: 5 * time.Second,
		},
		{
			name: "they stop when one of them terminates the run",
			text: `
- chip: count.sleep
  params: {ms: 60000}
  run_async: true
- tasks:
    - chip: count.sleep
      params: {ms: 1000}
    - terminate: 1
  run_async: true
- chip: count.sleep
  params: {ms: 60000}
`,
			finished: 1, stopped: 2, took: time.Second,
		},
		{
			name: "they outlive the task with a timeout that started them",
			text: `
- timeout: 10s
  tasks:
    - chip: count.sleep
      params: {ms: 30000}
      run_async: true
- return: 1
`,
			finished: 1, took: 30 * time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n counter
			c := load(t, engine.LoadOptions{Chips: n.chips()}, map[string]string{"main.yml": tt.text})
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancelAfter > 0 {
					defer time.AfterFunc(tt.cancelAfter, cancel).Stop()
				}
				began := time.Now()
				got, err := run(ctx, c, "")
				if tt.class != "" {
					failsWith(t, err, tt.class)
				} else if err != nil || got != "1" {
					t.Errorf("Run() = %s, %v, want 1", got, err)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("Run() took %v, want %v", took, tt.took)
				}
				if f, s := n.finished.Load(), n.stopped.Load(); f != tt.finished || s != tt.stopped {
					t.Errorf("%d finished and %d stopped, want %d and %d", f, s, tt.finished, tt.stopped)
				}
			})
		})
	}
}

func TestLostErrorsBecomeWarnings(t *testing.T) {
	c := single(t, `
- {chip: kit.fail, run_async: true, params: {message: lost}}
- {chip: kit.fail, run_async: true, store_result_as: h}
- chip: reasonchip.async.wait_for
  params: {task: '{{ h }}'}
  rescue:
    - comment: seen
- loop: '{{ range(30) }}'
  code: 1 / 0
  run_async: true
- return: seen
`)
	out, err := c.Run(t.Context(), engine.Input{Pipeline: "main"})
	if err != nil || string(out.Result) != `"seen"` {
		t.Fatalf("Run() = %s, %v, want seen", out.Result, err)
	}
	if len(out.Warnings) != 21 {
		t.Errorf("Run() gives %d warnings, want 20 and a count: %q", len(out.Warnings), out.Warnings)
	}
	all := strings.Join(out.Warnings, "\n")
	for _, want := range []string{"the background task main/4 failed: CodeExecutionException at main/4", "more background tasks failed"} {
		if !strings.Contains(all, want) {
			t.Errorf("Run() lacks the warning %q: %q", want, out.Warnings)
		}
	}
	if strings.Contains(all, "boom") {
		t.Errorf("Run() warns of an error that was seen: %q", out.Warnings)
	}
}

func TestHandles(t *testing.T) {
	for _, tt := range []struct{ name, text, want, class string }{
		{
			name: "cancel ends a task, and waiting for it then fails",
			text: `
- {chip: kit.sleep, params: {ms: 60000}, run_async: true, store_result_as: h}
- code: "[h.done(), h.cancel()]"
  store_result_as: before
- chip: reasonchip.async.wait_for
  params: {task: '{{ h }}'}
  rescue:
    - return: ["{{ before }}", "{{ error.cause }}", "{{ h.done() }}", "{{ h.cancelled() }}", "{{ h.cancel() }}"]
  return_result: true
`,
			want: `[[false,true],"CancelledError",true,true,false]`,
		},
		{
			name:  "the result of a task that is not done is an error",
			text:  "- {chip: kit.sleep, params: {ms: 200}, run_async: true, store_result_as: h}\n- return: '{{ h.result() }}'\n",
			class: engine.EvaluationException,
		},
		{
			name: "an error of a task can be caught in code",
			text: `
- {code: 1 / 0, run_async: true, store_result_as: h}
- chip: kit.sleep
  params: {ms: 20}
- code: |
    try:
        x = h.result()
    except Exception as e:
        x = 'caught'
    x
  return_result: true
`,
			want: `"caught"`,
		},
		{
			name:  "params are read at once",
			text:  "- {chip: kit.add, params: {a: many}, run_async: true}\n- return: 1\n",
			class: engine.InvalidChipParametersException,
		},
		{
			name:  "a handle has no other attributes",
			text:  "- {code: '1', run_async: true, store_result_as: h}\n- return: '{{ h.__class__ }}'\n",
			class: engine.EvaluationException,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := run(t.Context(), single(t, tt.text), "")
			if tt.class != "" {
				failsWith(t, err, tt.class)
			} else if err != nil || got != tt.want {
				t.Errorf("Run() = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestABranchCannotLeaveABackgroundTask(t *testing.T) {
	got := problems(t, engine.LoadOptions{FS: fsOf(map[string]string{
		"main.yml": "- run_async: true\n  tasks:\n    - tasks:\n        - branch: main\n",
	})})
	want := `main.yml:4:19: a branch cannot leave a background task; dispatch instead`
	if len(got) != 1 || got[0] != want {
		t.Errorf("Load() = %q, want %q", got, want)
	}
	c := load(t, engine.LoadOptions{}, map[string]string{
		"main.yml": "- dispatch: sub\n  run_async: true\n  store_result_as: h\n- chip: reasonchip.async.wait_for\n  params: {task: '{{ h }}'}\n",
		"sub.yml":  "- branch: main\n",
	})
	_, err := run(t.Context(), c, "")
	e := failsWith(t, err, engine.ChipException)
	var inner *engine.Error
	if !errors.As(e.Cause, &inner) || inner.Class != engine.ValidationException || inner.At != "main/1 > sub/1" {
		t.Errorf("Run() = %v, want the place of the branch", err)
	}
}

func TestBackgroundTasksSeeTheirOwnVariables(t *testing.T) {
	c := single(t, `
- declare: {n: 0, xs: []}
- loop: [1, 2, 3]
  run_async: true
  tasks:
    - chip: kit.sleep
      params: {ms: 20}
    - code: xs.append(item) or [n, item, xs]
      return_result: true
  append_result_into: hs
- declare: {n: 9}
- declare: {ignored: "{{ xs.append(9) }}"}
- loop: "{{ hs }}"
  chip: reasonchip.async.wait_for
  params: {task: "{{ item }}"}
  append_result_into: rs
- return: "{{ [r.resp for r in rs] }}"
`)
	result(t, c, "", "[[0,1,[1]],[0,2,[2]],[0,3,[3]]]")
}

func TestANegativeOrZeroTimeoutDoesNotWait(t *testing.T) {
	c := single(t, `
- {chip: kit.sleep, params: {ms: 60000}, run_async: true, store_result_as: h}
- chip: reasonchip.async.wait_for
  params: {task: '{{ h }}', timeout: 0}
  store_result_as: r
- return: "{{ r.status }}"
`)
	out, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Variables: json.RawMessage("{}")})
	if err != nil || string(out.Result) != `"TIMEOUT"` {
		t.Errorf("Run() = %s, %v, want TIMEOUT", out.Result, err)
	}
}
