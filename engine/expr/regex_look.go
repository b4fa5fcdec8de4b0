package expr

import (
	"strings"
	"unicode/utf8"
)

func (m *machine) backref(in *instr, pos int) (int, bool) {
	from, to := m.saves[2*in.x], m.saves[2*in.x+1]
	if from < 0 || to < from {
		return 0, false
	}
	want := m.text[from:to]
	if !in.fold {
		head := want[:min(bytesPerTick, len(want))]
		if !strings.HasPrefix(m.text[pos:], head) {
			return 0, false
		}
		m.ticks += len(want) / bytesPerTick
		return pos + len(want), strings.HasPrefix(m.text[pos:], want)
	}
	for _, w := range want {
		m.ticks += wideTicks
		r, n := m.at(pos)
		if n == 0 || !equalFold(w, r) {
			return 0, false
		}
		pos += n
	}
	return pos, true
}

// look tries the code after the instruction without moving.
func (m *machine) look(in *instr, pc, pos int) (bool, error) {
	if in.behind {
		m.ticks += in.y
		for range in.y {
			if pos == 0 {
				return in.negate, nil
			}
			_, n := utf8.DecodeLastRuneInString(m.text[:pos])
			pos -= n
		}
	}
	mark := len(m.stack)
	_, ok, err := m.atomic(pc+1, pos)
	if ok && in.negate {
		m.undo(mark)
	}
	return ok != in.negate, err
}

// atomic runs code whose choices are dropped once it has matched; what it
// changed can still be restored.
func (m *machine) atomic(pc, pos int) (int, bool, error) {
	mark := len(m.stack)
	end, ok, err := m.run(pc, pos)
	if !ok {
		return 0, false, err
	}
	kept := m.stack[:mark]
	for _, c := range m.stack[mark:] {
		if c.kind == choiceSave || c.kind == choiceLoop {
			kept = append(kept, c)
		}
	}
	m.stack = kept
	return end, true, nil
}

// undo restores what was changed since the stack had the height mark; there
// are no choices above it.
func (m *machine) undo(mark int) {
	m.back(mark)
}

func (m *machine) assert(kind assertKind, pos int) bool {
	switch kind {
	case assertStart:
		return pos == 0
	case assertLineStart:
		return pos == 0 || m.text[pos-1] == '\n'
	case assertEnd:
		return pos == len(m.text)
	case assertTextEnd:
		return pos == len(m.text) || pos == len(m.text)-1 && m.text[pos] == '\n'
	case assertLineEnd:
		return pos == len(m.text) || m.text[pos] == '\n'
	}
	if m.text == "" { // there is neither a boundary nor a place that is none
		return false
	}
	word := isWordRune
	if kind >= assertWordASCII {
		word = func(r rune) bool { return r < utf8.RuneSelf && isWordRune(r) }
	}
	m.ticks += wideTicks
	before, after := false, false
	if pos > 0 {
		r, _ := utf8.DecodeLastRuneInString(m.text[:pos])
		before = word(r)
	}
	if r, n := m.at(pos); n > 0 {
		after = word(r)
	}
	boundary := before != after
	if kind == assertNotWord || kind == assertNotWordASCII {
		return !boundary
	}
	return boundary
}
