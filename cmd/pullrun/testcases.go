package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/testcase"
)

func newTest(t terminal) *cobra.Command {
	var output, only string
	c := &cobra.Command{
		Use:   "test DIR...",
		Short: "Test pipelines, with canned answers for chips",
		Long: `Runs the cases below the DIRs and compares what each comes to with what it
expects. A case is a document in a file such as _orders.test.yml:

  name: totals by customer
  entry: orders.total                  # the pipeline to run
  variables: {day: 2024-02-28}
  secrets: {token: abc-123}            # else made up; real ones are not read
  chips:                               # what chips answer, one value or a list
    http.get: {status_code: 200, json: [{customer: Ada, total: 3}]}
  expect:
    result: {Ada: 3}                   # or error: ChipException, at: orders.total/1

A case runs the pipelines of its DIR, or those that it brings along under
"pipelines". Chips that reach out into the world are not called: a call that has
no answer fails the case.

The exit code is 1 when a case fails, and 2 when a case or a pipeline is wrong.`,
		Args: atLeast("a directory"),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			pattern, err := regexp.Compile(only)
			if err != nil {
				return usageError(fmt.Errorf("--run: %w", err))
			}
			runner := testcase.NewRunner(testcase.Options{Chips: chipSet(configs.DefaultWorker()), Streams: t.streams(output)})
			cases, err := findCases(runner, dirs, pattern)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runCases(ctx, t, output, runner, cases)
		},
	}
	c.Flags().StringVar(&only, "run", "", "run only the cases whose name matches this `regex`")
	outputFlag(c, &output)
	return c
}

// findCases reads the cases below all directories, and reports what is wrong
// in any of them.
func findCases(r *testcase.Runner, dirs []string, only *regexp.Regexp) ([]*testcase.Case, error) {
	var cases []*testcase.Case
	var problems []engine.Problem
	found := 0
	for _, dir := range dirs {
		some, err := r.Dir(dir)
		var wrong *engine.LoadError
		switch {
		case errors.As(err, &wrong):
			problems = append(problems, wrong.Problems...)
		case err != nil:
			return nil, usageError(err)
		}
		found += len(some)
		for _, c := range some {
			if only.MatchString(c.Name) {
				cases = append(cases, c)
			}
		}
	}
	switch {
	case problems != nil:
		return nil, &engine.LoadError{Problems: problems}
	case found == 0:
		return nil, usageError(fmt.Errorf("no cases below %s: they are in files that end in .test.yml", strings.Join(dirs, ", ")))
	case len(cases) == 0:
		return nil, usageError(fmt.Errorf("--run: none of %d cases has a name that matches %q", found, only))
	}
	return cases, nil
}

// A testReport is what the cases have come to.
type testReport struct {
	Passed int          `json:"passed"`
	Failed int          `json:"failed"`
	Cases  []testResult `json:"cases"`
}

type testResult struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Line   int    `json:"line"` // of the case, or of what it expects when that did not come
	Passed bool   `json:"passed"`
	TookMs int64  `json:"took_ms"`
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`
}

func runCases(ctx context.Context, t terminal, output string, r *testcase.Runner, cases []*testcase.Case) error {
	report := testReport{}
	for _, c := range cases {
		began := time.Now()
		result := testResult{Name: c.Name, File: c.File, Line: c.Line, Passed: true}
		if err := r.Run(ctx, c); err != nil {
			var f *testcase.Failure
			if !errors.As(err, &f) {
				return err
			}
			result.Passed, result.Line, result.Error, result.Detail = false, f.Line, f.Message, f.Detail
		}
		elapsed := time.Since(began)
		result.TookMs = elapsed.Milliseconds()
		report.Cases = append(report.Cases, result)
		if result.Passed {
			report.Passed++
		} else {
			report.Failed++
		}
		if output == "text" {
			result.print(t, elapsed)
		}
	}
	err := print(t, output, report, func() {
		fmt.Fprintf(t.out, "%d passed, %d failed\n", report.Passed, report.Failed)
	})
	if err == nil && report.Failed > 0 {
		return withCode(exitFailed, errSaid)
	}
	return err
}

// print says how a case went, as soon as it is known.
func (r testResult) print(t terminal, elapsed time.Duration) {
	if r.Passed {
		fmt.Fprintf(t.out, "pass  %s  %s\n", r.Name, took(elapsed))
		return
	}
	fmt.Fprintf(t.out, "FAIL  %s  %s\n      %s:%d: %s\n", r.Name, took(elapsed), r.File, r.Line, r.Error)
	for line := range strings.Lines(r.Detail) {
		fmt.Fprintf(t.out, "        %s\n", strings.TrimSuffix(line, "\n"))
	}
}
