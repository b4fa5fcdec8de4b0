package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

type flakyRequest struct {
	Fails int64  // so many calls fail
	Class string `default:"Flaky"`
}

// flakyChips gives kit.sleep, and a chip that fails at first.
func flakyChips(calls *atomic.Int64) *engine.Chips {
	return engine.NewChips(
		engine.NewChip("kit.flaky", "Fails at first.", func(_ context.Context, r flakyRequest) (echoResponse, error) {
			if n := calls.Add(1); n <= r.Fails {
				return echoResponse{}, &engine.Raised{Class: r.Class, Message: fmt.Sprintf("call %d", n)}
			}
			return echoResponse{"done"}, nil
		}),
		engine.NewChip("kit.sleep", "Waits.", func(ctx context.Context, r sleepRequest) (echoResponse, error) {
			return echoResponse{r.Value}, pause(ctx, r.Ms)
		}),
	)
}

func TestGuards(t *testing.T) {
	for _, tt := range []struct {
		name, text  string
		want        string // the result, or
		class       string // the error
		calls       int64
		least, most time.Duration
	}{
		{
			name:  "a task is tried again until it succeeds",
			text:  "- {chip: kit.flaky, params: {fails: 3}, retry: 5, store_result_as: r}\n- return: '{{ r.value }}'\n",
			want:  `"done"`,
			calls: 4, least: 3500 * time.Millisecond, most: 7 * time.Second,
		},
		{
			name:  "the last failure is the task's",
			text:  "- {chip: kit.flaky, params: {fails: 9}, retry: {max: 2, backoff: 10ms}}\n",
			class: engine.ChipException,
			calls: 3, least: 15 * time.Millisecond, most: 30 * time.Millisecond,
		},
		{
			name:  "only the classes named are tried again",
			text:  "- {chip: kit.flaky, params: {fails: 9}, retry: {max: 2, on: [Other]}}\n",
			class: engine.ChipException,
			calls: 1,
		},
		{
			name:  "a class may be the cause's",
			text:  "- {chip: kit.flaky, params: {fails: 1}, retry: {max: 2, backoff: 1ms, on: Flaky}, store_result_as: r}\n- return: '{{ r.value }}'\n",
			want:  `"done"`,
			calls: 2, most: time.Second,
		},
		{
			name: "each try starts with the variables as they were",
			text: `
- declare: {n: 0}
- tasks:
    - declare: {n: "{{ n + 1 }}"}
    - chip: kit.flaky
      params: {fails: 2}
    - return: "{{ n }}"
  retry: 3
  return_result: true
`,
			want: "1", calls: 3, least: time.Second, most: 4 * time.Second,
		},
		{
			name:  "a timeout stops a task",
			text:  "- {chip: kit.sleep, params: {ms: 60000}, timeout: 2s}\n",
			class: engine.TimeoutException, least: 2 * time.Second, most: 2 * time.Second,
		},
		{
			name:  "a timeout counts all tries together",
			text:  "- {chip: kit.flaky, params: {fails: 99}, timeout: 5s, retry: 50}\n",
			class: engine.TimeoutException, least: 5 * time.Second, most: 5 * time.Second, calls: 3,
		},
		{
			name: "a rescue takes the place of what failed",
			text: `
- name: risky
  tasks:
    - code: 1 / 0
  rescue:
    - return: ["{{ error.type }}", "{{ error.cause }}", "{{ error.at }}"]
  store_result_as: r
- return: "{{ r }}"
`,
			want: `["CodeExecutionException","ZeroDivisionError","main/1 \u003e \u003ctaskset\u003e/1"]`,
		},
		{
			name:  "a rescue that fails is the task's failure",
			text:  "- code: 1 / 0\n  rescue:\n    - assert: 'False'\n",
			class: engine.AssertException,
		},
		{
			name: "a timeout can be rescued",
			text: "- {chip: kit.sleep, params: {ms: 60000}, timeout: 1s, rescue: [{return: '{{ error.type }}'}], return_result: true}\n",
			want: `"TimeoutException"`, least: time.Second, most: time.Second,
		},
		{
			name: "wrong params can be rescued",
			text: "- {chip: kit.sleep, params: {ms: soon}, rescue: [{return: '{{ error.type }}'}], return_result: true}\n",
			want: `"InvalidChipParametersException"`,
		},
		{
			name: "finally runs after success and keeps the result",
			text: "- {code: '5', finally: [{chip: kit.flaky}, {return: 6}], return_result: true}\n",
			want: "5", calls: 1,
		},
		{
			name:  "finally runs after failure and keeps the error",
			text:  "- {code: 1 / 0, finally: [{chip: kit.flaky}]}\n",
			class: engine.CodeExecutionException, calls: 1,
		},
		{
			name: "finally runs when the task terminates the run",
			text: "- {tasks: [{terminate: 3}], finally: [{chip: kit.flaky}]}\n",
			want: "3", calls: 1,
		},
		{
			name:  "a failure in finally fails a task that succeeded",
			text:  "- {code: '1', finally: [{assert: 'False'}]}\n",
			class: engine.AssertException,
		},
		{
			name: "a loop is guarded item by item",
			text: `
- loop: [1, 0, 2]
  code: 10 // item
  rescue:
    - return: "{{ -item }}"
  append_result_into: r
- return: "{{ r }}"
`,
			want: "[10,0,5]",
		},
		{
			name: "a background task has its guards too",
			text: `
- {chip: kit.flaky, params: {fails: 1}, retry: {max: 1, backoff: 1s}, run_async: true, store_result_as: h}
- {chip: reasonchip.async.wait_for, params: {task: '{{ h }}'}, store_result_as: w}
- return: "{{ w.resp.value }}"
`,
			want: `"done"`, calls: 2, least: 500 * time.Millisecond, most: time.Second,
		},
		{
			name:  "a limit is neither tried again nor rescued",
			text:  "- {code: 'sum(range(10 ** 9))', retry: 5, rescue: [{return: 1}]}\n",
			class: engine.LimitException,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int64
			c := load(t, engine.LoadOptions{Chips: flakyChips(&calls)}, map[string]string{"main.yml": tt.text})
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				got, err := run(t.Context(), c, "")
				if tt.class != "" {
					failsWith(t, err, tt.class)
				} else if err != nil || got != unescaped(tt.want) {
					t.Errorf("Run() = %s, %v, want %s", got, err, tt.want)
				}
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("Run() took %v, want %v to %v", took, tt.least, tt.most)
				}
				if n := calls.Load(); tt.calls > 0 && n != tt.calls && tt.class != engine.TimeoutException {
					t.Errorf("the chip was called %d times, want %d", n, tt.calls)
				}
			})
		})
	}
}

func TestFinallyRunsWhenTheRunIsCancelled(t *testing.T) {
	var calls atomic.Int64
	c := load(t, engine.LoadOptions{Chips: flakyChips(&calls)}, map[string]string{
		"main.yml": "- chip: kit.sleep\n  params: {ms: 60000}\n  finally:\n    - chip: kit.sleep\n      params: {ms: 100}\n    - chip: kit.flaky\n",
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := run(ctx, c, "")
		failsWith(t, err, engine.CancelledException)
		if calls.Load() != 1 {
			t.Error("finally did not run")
		}
	})
}

func TestAParallelLoopKeepsTheOrderAndItsBound(t *testing.T) {
	var now, most atomic.Int64
	chip := engine.NewChip("kit.busy", "Counts who is busy.", func(ctx context.Context, r sleepRequest) (echoResponse, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return echoResponse{r.Value}, pause(ctx, r.Ms)
	})
	c := load(t, engine.LoadOptions{Chips: engine.NewChips(chip)}, map[string]string{"main.yml": `
- declare: {seen: []}
- loop: "{{ range(20) }}"
  loop_parallel: 4
  tasks:
    - chip: kit.busy
      params: {ms: "{{ 1000 - 10 * item }}", value: "{{ item }}"}
      store_result_as: b
    - code: seen.append(item) or [b.value, len(seen)]
      return_result: true
  append_result_into: rs
- return: ["{{ [r[0] for r in rs] == list(range(20)) }}", "{{ sum(r[1] for r in rs) }}", "{{ seen }}", "{{ _[0] }}"]
`})
	synctest.Test(t, func(t *testing.T) {
		result(t, c, "", "[true,20,[],19]")
		if most.Load() != 4 {
			t.Errorf("%d iterations ran at once, want 4", most.Load())
		}
	})
}

func TestAFailureStopsAParallelLoop(t *testing.T) {
	c := single(t, "- loop: [5000, 0, 5000]\n  loop_parallel: 3\n  code: '1'\n- loop: [60000, 0, 60000]\n  loop_parallel: 3\n  tasks:\n    - chip: kit.sleep\n      params: {ms: '{{ item }}'}\n    - code: 1 / item\n")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := run(t.Context(), c, "")
		e := failsWith(t, err, engine.CodeExecutionException)
		if e.At != "main/2 > <taskset>/2" || time.Since(began) > time.Second {
			t.Errorf("Run() fails at %s after %v, want at main/2 > <taskset>/2 at once", e.At, time.Since(began))
		}
	})
}

func TestGuardsAreCheckedWhenTheyAreLoaded(t *testing.T) {
	got := problems(t, engine.LoadOptions{FS: fsOf(map[string]string{"main.yml": `
- {code: "1", timeout: 30}
- {code: "1", retry: {on: [x]}}
- {code: "1", retry: {max: 0}}
- {code: "1", retry: {max: 1, tries: 2}}
- {code: "1", loop_parallel: 4}
- {code: "1", loop: [1], loop_parallel: many}
- {code: "1", rescue: {return: 1}}
- {return: 1, finally: []}
- {code: "1", rescue: [{chip: kit.nothing}]}
- {loop: [1], loop_parallel: 2, tasks: [{branch: main}]}
`})})
	want := []string{
		`main.yml:2:24: "timeout" wants a length of time with its unit, not 30; for example "30s"`,
		`main.yml:3:22: "retry" wants max`,
		`main.yml:4:28: "max" wants a whole number from 1 to 1000, not a number`,
		`main.yml:5:31: unknown field 'tries' in "retry"; it takes max, backoff and on`,
		`main.yml:6:30: "loop_parallel" without a loop`,
		`main.yml:7:41: "loop_parallel" wants a whole number from 1 to 1000, not text`,
		`main.yml:8:23: "rescue" wants a list of tasks, not a map`,
		`main.yml:9:15: unknown field 'finally' in a return task; it goes with tasks, dispatch, chip, code`,
		`main.yml:10:31: unknown chip "kit.nothing"`,
		`main.yml:11:50: a branch cannot leave a parallel loop; dispatch instead`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load() differs (-want +got):\n%s", diff)
	}
}
