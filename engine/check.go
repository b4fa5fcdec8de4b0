package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// compile turns the files into a collection and notes all that is wrong
// with them.
func (l *loader) compile() *Collection {
	c := &Collection{
		pipelines: map[string]*pipeline{},
		chips:     l.chips,
		limits:    l.limits,
		skipped:   l.skipped,
	}
	for _, name := range slices.Sorted(maps.Keys(l.sources)) {
		if p, ok := l.parse(l.sources[name]); ok {
			c.pipelines[name] = p
		} else if p != nil {
			c.skipped[name] = p.file
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		l.link(c, c.pipelines[name].tasks)
	}
	return c
}

// link connects tasks with the pipelines and chips they name.
func (l *loader) link(c *Collection, tasks []*task) {
	for _, t := range tasks {
		switch t.kind {
		case KindDispatch, KindBranch:
			if t.next = c.pipelines[t.target]; t.next == nil {
				l.invalid(t, string(t.kind), c.missing(t.target), "unknown pipeline %q", t.target)
			}
		case KindChip:
			if t.chip = l.chips.Lookup(t.target); t.chip == nil {
				l.invalid(t, "chip", didYouMean(t.target, l.chips.names()), "unknown chip %q", t.target)
			} else {
				l.checkAllowed(t)
				l.checkParams(t)
				l.checkGuard(t)
			}
		case KindCode:
			if l.forbidCode != "" {
				l.invalid(t, "code", "", "code is forbidden: %s", l.forbidCode)
			}
		}
		l.link(c, t.tasks)
		if t.guard != nil {
			l.link(c, t.guard.rescue)
			l.link(c, t.guard.finally)
		}
		t.forgetNodes()
	}
}

// checkAllowed complains about a chip that is forbidden.
func (l *loader) checkAllowed(t *task) {
	if l.forbidChip == nil {
		return
	}
	if why := l.forbidChip(t.chip.name); why != "" {
		l.invalid(t, "chip", "", "chip %q is forbidden: %s", t.chip.name, why)
	}
}

// forgetNodes lets go of the file, which is read and checked.
func (t *task) forgetNodes() {
	t.nodes = nil
	for _, list := range [][]param{t.params, t.declare} {
		for i := range list {
			list[i].node = nil
		}
	}
}

// missing says what to do about a pipeline that is not there.
func (c *Collection) missing(name string) string {
	file := c.skipped[name]
	switch {
	case strings.HasSuffix(file, ".yaml"):
		return fmt.Sprintf("%s is not read: pipelines end in .yml", file)
	case file != "" && strings.HasPrefix(file[strings.LastIndexByte(file, '/')+1:], "_"):
		return fmt.Sprintf("%s is not read: its name begins with an underscore", file)
	case file != "":
		return fmt.Sprintf("%s holds no tasks", file)
	}
	return didYouMean(name, slices.Collect(maps.Keys(c.pipelines)))
}

// invalid notes that a task names something that is not there.
func (l *loader) invalid(t *task, field, hint, format string, args ...any) {
	n := t.nodes[field]
	l.error(Problem{
		File: t.file, Line: n.line, Column: n.col, At: t.at.String(),
		Class: ValidationException, Phase: PhaseValidate,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// checkGuard warns of a guard against failures of a chip that does not fail.
func (l *loader) checkGuard(t *task) {
	if t.guard == nil || !t.chip.answers {
		return
	}
	n, field := t.nodes["retry"], "retry"
	if t.guard.retry == nil {
		n, field = t.nodes["rescue"], "rescue"
		if t.guard.rescue == nil || t.guard.timeout > 0 {
			return
		}
	}
	l.warn(Problem{
		File: t.file, Line: n.line, Column: n.col, At: t.at.String(),
		Class: ValidationException, Phase: PhaseValidate,
		Message: fmt.Sprintf("%s tells what went wrong in its response and does not fail, so %q does nothing", t.target, field),
		Hint:    "guard a task set that asserts the status",
	})
}

// checkParams warns of params that the chip is certain to refuse. It does
// not matter unless the task is run, so it is no error.
func (l *loader) checkParams(t *task) {
	warn := func(n *node, hint, format string, args ...any) {
		l.warn(Problem{
			File: t.file, Line: n.line, Column: n.col, At: t.at.String(),
			Class: InvalidChipParametersException, Phase: PhaseValidate,
			Message: t.target + ": " + fmt.Sprintf(format, args...), Hint: hint,
		})
	}
	given := map[string]bool{}
	for _, p := range t.params {
		given[p.name] = true
		f := t.chip.request.field(p.name)
		if f == nil {
			warn(p.node, didYouMean(p.name, t.chip.request.names()), "unknown parameter %q", p.name)
			continue
		}
		if lit, ok := p.value.(literal); ok {
			if err := f.accepts(lit.value); err != nil {
				warn(p.node, "", "%v", err)
			}
		}
	}
	for _, f := range t.chip.request.fields {
		if f.required && !given[f.name] {
			warn(t.nodes["chip"], "", "parameter %q is missing", f.name)
		}
	}
}
