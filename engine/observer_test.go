package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

// A recorder writes down what it is told, indented by depth.
type recorder struct {
	mu    sync.Mutex // guards lines
	lines []string
}

type depthKey struct{}

func (r *recorder) begin(ctx context.Context, what string) (context.Context, int) {
	depth, _ := ctx.Value(depthKey{}).(int)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, strings.Repeat("  ", depth)+what)
	return context.WithValue(ctx, depthKey{}, depth+1), len(r.lines) - 1
}

func (r *recorder) end(at int, more string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[at] += more
}

func (r *recorder) Task(ctx context.Context, t engine.TaskInfo) (context.Context, func(error)) {
	ctx, at := r.begin(ctx, fmt.Sprintf("%s/%d %s %s", t.Pipeline, t.Number, t.Kind, t.Name))
	return ctx, func(err error) {
		if t.Loop {
			r.end(at, fmt.Sprintf("%d told of %d", t.Counts.Told, t.Counts.Iterations))
		}
		r.end(at, class(err))
	}
}

func (r *recorder) Chip(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	ctx, at := r.begin(ctx, "chip "+c.Chip)
	return ctx, func(err error) { r.end(at, class(err)) }
}

// A quietRecorder is asked for the context of what is not told.
type quietRecorder struct {
	recorder
	asked int
}

type quietKey struct{}

func (r *quietRecorder) Quiet(ctx context.Context) context.Context {
	r.asked++
	return context.WithValue(ctx, quietKey{}, true)
}

func class(err error) string {
	if e, ok := err.(*engine.Error); ok {
		return " ! " + e.Class
	}
	return ""
}

func TestAnObserverIsToldOfTasksAndChips(t *testing.T) {
	c := load(t, engine.LoadOptions{}, map[string]string{"sub.yml": "- return: 1\n", "main.yml": `
- comment: not told
- {when: "False", code: "1"}
- name: set
  tasks:
    - {chip: kit.add, params: {a: 1}}
    - dispatch: sub
- {chip: kit.fail, run_async: true, store_result_as: h}
- {chip: reasonchip.async.wait_for, params: {task: "{{ h }}"}}
`})
	var r recorder
	_, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Observer: &r})
	failsWith(t, err, engine.ChipException)
	want := `main/3 tasks set
  <taskset>/1 chip 
    chip kit.add
  <taskset>/2 dispatch 
    sub/1 return 
main/4 chip 
main/5 chip  ! ChipException
  chip reasonchip.async.wait_for ! ChipException`
	var got []string
	background := ""
	for _, line := range r.lines {
		if strings.Contains(line, "kit.fail") { // it runs beside the rest
			background = line
			continue
		}
		got = append(got, line)
	}
	if background != "  chip kit.fail ! ChipException" {
		t.Errorf("told of the background task: %q", background)
	}
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestALoopIsToldInItsFirstIterationsOnly(t *testing.T) {
	c := single(t, "- loop: '{{ range(20000) }}'\n  tasks:\n    - code: item\n- name: after\n  code: '1'\n")
	var r quietRecorder
	if _, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Observer: &r}); err != nil {
		t.Fatal(err)
	}
	if len(r.lines) != 1+25+1 || r.lines[0] != "main/1 tasks 25 told of 20000" || r.lines[26] != "main/2 code after" {
		t.Errorf("told %d lines, the first %q, the last %q", len(r.lines), r.lines[0], r.lines[len(r.lines)-1])
	}
	if r.asked != 1 {
		t.Errorf("Quiet() was called %d times, want once", r.asked)
	}
}

func TestTheFailingIterationIsAlwaysTold(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{
			name: "in a task set",
			text: "- loop: '{{ range(100) }}'\n  tasks:\n    - comment: c\n    - name: inner\n      tasks:\n        - code: 1 / (50 - item)\n",
			want: "main/1 tasks 26 told of 51 ! CodeExecutionException\n  <taskset>/2 tasks inner ! CodeExecutionException\n    <taskset>/1 code  ! CodeExecutionException",
		},
		{
			name: "in a chip",
			text: "- loop: '{{ range(100) }}'\n  chip: kit.add\n  params: {a: '{{ item if item < 50 else \"x\" }}'}\n",
			want: "main/1 chip 26 told of 51 ! InvalidChipParametersException\n  chip kit.add ! InvalidChipParametersException",
		},
		{
			name: "in a parallel loop",
			text: "- loop: '{{ range(100) }}'\n  loop_parallel: 1\n  tasks:\n    - code: 1 / (50 - item)\n",
			want: "main/1 tasks 26 told of 51 ! CodeExecutionException\n  <taskset>/1 code  ! CodeExecutionException",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r recorder
			_, err := single(t, tt.text).Run(t.Context(), engine.Input{Pipeline: "main", Observer: &r})
			if err == nil {
				t.Fatal("Run() = nil, want an error")
			}
			var failed []string
			for _, line := range r.lines {
				if strings.Contains(line, "!") {
					failed = append(failed, line)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(failed, "\n")); diff != "" {
				t.Errorf("told of the failure (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNestedLoopsHaveTheirOwnBudgets(t *testing.T) {
	c := single(t, "- loop: '{{ range(30) }}'\n  tasks:\n    - loop: '{{ range(30) }}'\n      tasks:\n        - code: '1'\n")
	var r recorder
	if _, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Observer: &r}); err != nil {
		t.Fatal(err)
	}
	if want := 1 + 25*(1+25); len(r.lines) != want {
		t.Errorf("told %d lines, want %d", len(r.lines), want)
	}
}

// A brokenObserver panics.
type brokenObserver struct{ recorder }

func (*brokenObserver) Chip(context.Context, engine.ChipInfo) (context.Context, func(error)) {
	panic("no more paper")
}

func TestAPanicAroundAChipFailsTheRun(t *testing.T) {
	for _, text := range []string{
		"- {chip: kit.echo}\n",
		"- {loop: [1, 2], loop_parallel: 2, chip: kit.echo}\n",
		"- {chip: kit.echo, run_async: true, store_result_as: h}\n- {chip: reasonchip.async.wait_for, params: {task: '{{ h }}'}}\n",
	} {
		_, err := single(t, text).Run(t.Context(), engine.Input{Pipeline: "main", Observer: &brokenObserver{}})
		failsWith(t, err, engine.InternalException)
	}
}

// The position of a loop is there at any time, also in turns that are not told.
func TestALoopKnowsItsTurn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text string }{
		{"of a chip", `- {chip: kit.add, params: {a: 1}, loop: "{{ range(40) }}"}`},
		{"side by side", `- {chip: kit.add, params: {a: 1}, loop: "{{ range(40) }}", loop_parallel: 4}`},
		{"in place", `- {declare: {x: 1}, loop: "{{ range(40) }}"}`},
	} {
		var p positions
		if _, err := single(t, tt.text+"\n").Run(t.Context(), engine.Input{Pipeline: "main", Observer: &p}); err != nil {
			t.Fatal(err)
		}
		if turn, of := p.counts.Position(); turn != 40 || of != 40 {
			t.Errorf("%s: Position() = %d of %d, want 40 of 40", tt.name, turn, of)
		}
	}
	if turn, of := new(engine.LoopCounts).Position(); turn != 0 || of != 0 {
		t.Errorf("Position() before the first turn = %d of %d", turn, of)
	}
}

// positions keeps the counts of a loop.
type positions struct{ counts *engine.LoopCounts }

func (p *positions) Task(ctx context.Context, t engine.TaskInfo) (context.Context, func(error)) {
	if t.Loop {
		p.counts = t.Counts
	}
	return ctx, func(error) {}
}

func (p *positions) Chip(ctx context.Context, _ engine.ChipInfo) (context.Context, func(error)) {
	return ctx, func(error) {}
}
