package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pullrun/pullrun/configs"
)

// The outcomes of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn" // it works, and somebody should know
	checkFail = "fail"
	checkSkip = "skip" // it depends on one that failed
)

// A finding is what a check has seen, and what to do about it.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Seen   string `json:"seen"`
	Advice string `json:"advice,omitempty"`
}

func ok(seen string, args ...any) finding {
	return finding{Status: checkOK, Seen: fmt.Sprintf(seen, args...)}
}

func warn(advice, seen string, args ...any) finding {
	return finding{Status: checkWarn, Seen: fmt.Sprintf(seen, args...), Advice: advice}
}

func fail(advice, seen string, args ...any) finding {
	return finding{Status: checkFail, Seen: fmt.Sprintf(seen, args...), Advice: advice}
}

func skip(seen string) finding { return finding{Status: checkSkip, Seen: seen} }

func newDoctor(t terminal) *cobra.Command {
	var file, output string
	var idleCut time.Duration
	c := &cobra.Command{
		Use:   "doctor [DIR...]",
		Short: "Find out what keeps a worker from working",
		Long: `Goes the way that a worker with these settings would go, step by step, and says
what it sees and what to do about it: the settings, DNS, the proxy, TLS, the
server and the token, the clock, the pipelines, the outbox, the collector of the
traces, and for how long the path leaves a silent call alone. It runs nothing,
changes nothing, and does not disturb a worker of the same name that is running.

Settings come from the same places as those of "pullrun worker".

It ends with ` + fmt.Sprint(exitUnwell) + ` when a check has failed. A warning alone is no failure.`,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			d := &doctor{ctx: cmd.Context(), t: t, text: output == "text", idleCut: idleCut}
			cfg, sources, err := configs.Load[configs.Worker](configs.LoadOptions{File: file, Search: workerFiles, Flags: cmd.Flags()})
			d.report("settings", settingsCheck(sources, err))
			if err == nil {
				if len(dirs) > 0 {
					cfg.Pipelines.Dirs = dirs
				}
				d.examine(cfg)
			}
			return d.end(output)
		},
	}
	configFlag(c, &file)
	outputFlag(c, &output)
	c.Flags().DurationVar(&idleCut, "idle-cut", time.Minute, "how long a silent call is held, up to 5m, to find out whether the path cuts it; 0 does not")
	configs.Flags[configs.Worker](c.Flags())
	return c
}

// A doctor examines one worker's settings and surroundings.
type doctor struct {
	ctx      context.Context
	t        terminal
	text     bool // each finding is printed when it is there
	idleCut  time.Duration
	findings []finding
}

// examine makes all checks but that of the settings, in the order in which a
// worker depends on them. What takes long comes last.
func (d *doctor) examine(cfg configs.Worker) {
	name, err := workerName(cfg.Name)
	if err != nil {
		d.report("name", fail("set name", "%v", err))
		return
	}
	reached := d.path(cfg.Server)
	d.server(cfg, name, reached)
	d.report("pipelines", pipelinesCheck(cfg))
	d.report("outbox", outboxCheck(cfg.Outbox, name))
	d.report("collector", collectorCheck(d.ctx))
	d.report("idle cut", d.idleCutCheck(cfg, name))
}

// report notes a finding, and prints it for whoever reads along.
func (d *doctor) report(check string, f finding) {
	f.Check = check
	d.findings = append(d.findings, f)
	if !d.text {
		return
	}
	status := f.Status
	if colour := map[string]string{checkOK: "32", checkWarn: "33", checkFail: "31", checkSkip: "2"}[f.Status]; colourful(d.t.out) {
		status = "\x1b[" + colour + "m" + f.Status + "\x1b[0m" + strings.Repeat(" ", 4-len(f.Status))
	}
	const column = 17
	fmt.Fprintf(d.t.out, "%-4s  %-9s  %s\n", status, f.Check, indent(f.Seen, column))
	if f.Advice != "" {
		fmt.Fprintf(d.t.out, "%s-> %s\n", strings.Repeat(" ", column), indent(f.Advice, column+3))
	}
}

// indent has all lines but the first begin at a column.
func indent(text string, column int) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", column))
}

// colourful reports whether what is written there may be coloured. See
// https://no-color.org.
func colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// end sums up.
func (d *doctor) end(output string) error {
	failed, warned := d.count(checkFail), d.count(checkWarn)
	err := print(d.t, output, struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}{failed == 0, d.findings}, func() {
		switch {
		case failed > 0:
			fmt.Fprintf(d.t.out, "\n%s failed, %s\n", plural(failed, "check"), plural(warned, "warning"))
		case warned > 0:
			fmt.Fprintf(d.t.out, "\na worker can work here, %s\n", plural(warned, "warning"))
		default:
			fmt.Fprintf(d.t.out, "\na worker can work here\n")
		}
	})
	if err == nil && failed > 0 {
		err = withCode(exitUnwell, errSaid)
	}
	if d.ctx.Err() != nil {
		err = errors.Join(err, d.ctx.Err())
	}
	return err
}

func (d *doctor) count(status string) (n int) {
	for _, f := range d.findings {
		if f.Status == status {
			n++
		}
	}
	return n
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// settingsCheck tells which settings there are.
func settingsCheck(sources configs.Sources, err error) finding {
	if err != nil {
		return fail("\"pullrun config print worker\" shows each setting and where it comes from", "%v", err)
	}
	set := 0
	for _, s := range sources {
		if s.From != "default" {
			set++
		}
	}
	return ok("%d given, the others are the defaults", set)
}
