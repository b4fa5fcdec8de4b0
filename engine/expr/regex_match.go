package expr

import (
	"strings"
	"unicode/utf8"
)

// A machine runs the code of a pattern over a text. Choices that are still
// open lie on a stack, together with the old values of what was changed
// since, so that going back to a choice restores both.
type machine struct {
	ev    *eval
	re    *regex
	text  string
	saves []int // positions of groups, -1 if they have not matched; and the group closed last
	loops []loopState
	stack []choice

	full    bool // the match must reach the end
	advance int  // a match from here must not be empty; -1 for none
	start   int  // where the match that is tried began
	ticks   int
}

type loopState struct {
	count int
	last  int // where the last round began
}

type choiceKind uint8

const (
	choiceJump choiceKind = iota // go on at pc, pos
	choiceSave                   // restore saves[pc] to pos
	choiceLoop                   // restore loops[pc] to pos, extra
	choiceLess                   // give one repetition back: pos down to extra
	choiceMore                   // take one more repetition, extra is how many so far
)

type choice struct {
	kind           choiceKind
	pc, pos, extra int
}

const choiceCost = 32

func (re *regex) machine(ev *eval, text string) *machine {
	m := &machine{
		ev: ev, re: re, text: text, advance: -1,
		saves: make([]int, 2*re.groups+3), loops: make([]loopState, re.loops),
	}
	m.ticks = (len(m.saves) + len(m.loops)) / wordsPerTick
	return m
}

// match tries to match at one position.
func (m *machine) match(pos int) (bool, error) {
	for i := range m.saves {
		m.saves[i] = -1
	}
	m.ticks += len(m.saves) / wordsPerTick
	m.stack = m.stack[:0]
	m.start = pos
	end, ok, err := m.run(0, pos)
	if ok {
		m.saves[0], m.saves[1] = pos, end
	}
	return ok, err
}

// search finds the first match from a position on.
func (m *machine) search(pos int) (bool, error) {
	for pos <= len(m.text) {
		if m.re.prefix != "" {
			i := strings.Index(m.text[pos:], m.re.prefix)
			if i < 0 {
				m.ticks += (len(m.text) - pos) / bytesPerTick
				return false, m.pay()
			}
			m.ticks += i / bytesPerTick
			pos += i
		}
		ok, err := m.match(pos)
		if ok || err != nil {
			return ok, err
		}
		if pos == len(m.text) {
			break
		}
		_, n := utf8.DecodeRuneInString(m.text[pos:])
		pos += n
	}
	return false, nil
}

func (m *machine) push(c choice) error {
	if len(m.stack) == cap(m.stack) {
		if err := m.ev.grow((cap(m.stack) + 8) * choiceCost); err != nil {
			return err
		}
	}
	m.stack = append(m.stack, c)
	return nil
}

// run runs from pc on until the code matches, which gives the position, or
// no choice is left. Choices below those it makes are not touched.
func (m *machine) run(pc, pos int) (end int, ok bool, err error) {
	base := len(m.stack)
	for {
		if err := m.tick(); err != nil {
			return 0, false, err
		}
		in := &m.re.code[pc]
		if in.op == rxOpMatch && m.accepts(pc, pos) {
			return pos, true, nil
		}
		pc, pos, ok, err = m.step(in, pc, pos)
		if err != nil {
			return 0, false, err
		}
		if ok {
			continue
		}
		if pc, pos, ok = m.back(base); !ok {
			return 0, false, nil
		}
	}
}

// accepts reports whether the end of the code is a match: within look-around
// and atomic groups always.
func (m *machine) accepts(pc, pos int) bool {
	if pc != len(m.re.code)-1 {
		return true
	}
	return (!m.full || pos == len(m.text)) && (pos != m.advance || m.start != m.advance)
}

// back returns to the last choice above base.
func (m *machine) back(base int) (pc, pos int, ok bool) {
	for len(m.stack) > base {
		c := &m.stack[len(m.stack)-1]
		switch c.kind {
		case choiceSave:
			m.saves[c.pc] = c.pos
		case choiceLoop:
			m.loops[c.pc] = loopState{c.pos, c.extra}
		case choiceLess:
			if c.pos > c.extra {
				_, n := utf8.DecodeLastRuneInString(m.text[:c.pos])
				c.pos -= n
				return c.pc + 1, c.pos, true
			}
		case choiceMore:
			in := &m.re.code[c.pc]
			if r, n := m.at(c.pos); n > 0 && c.extra < in.max && m.test(in, r) {
				c.pos += n
				c.extra++
				return c.pc + 1, c.pos, true
			}
		default:
			pc, pos = c.pc, c.pos
			m.stack = m.stack[:len(m.stack)-1]
			return pc, pos, true
		}
		m.stack = m.stack[:len(m.stack)-1]
	}
	return 0, 0, false
}

// at gives the character at a position, and its width, zero at the end.
func (m *machine) at(pos int) (rune, int) {
	if pos >= len(m.text) {
		return -1, 0
	}
	if c := m.text[pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(m.text[pos:])
}

// step runs one instruction; ok is false if it does not match.
func (m *machine) step(in *instr, pc, pos int) (nextPC, nextPos int, ok bool, err error) {
	switch in.op {
	case rxOpChar:
		r, n := m.at(pos)
		return pc + 1, pos + n, r == in.r, nil
	case rxOpFold:
		r, n := m.at(pos)
		m.ticks += wideTicks
		return pc + 1, pos + n, n > 0 && equalFold(in.r, r), nil
	case rxOpSet:
		r, n := m.at(pos)
		return pc + 1, pos + n, n > 0 && m.test(in, r), nil
	case rxOpJump:
		return in.x, pos, true, nil
	case rxOpSplit:
		return pc + 1, pos, true, m.push(choice{kind: choiceJump, pc: in.x, pos: pos})
	case rxOpSplitTo:
		return in.x, pos, true, m.push(choice{kind: choiceJump, pc: pc + 1, pos: pos})
	case rxOpSave:
		if in.x%2 == 1 {
			if err := m.save(len(m.saves)-1, in.x/2); err != nil {
				return 0, 0, false, err
			}
		}
		return pc + 1, pos, true, m.save(in.x, pos)
	case rxOpAssert:
		return pc + 1, pos, m.assert(in.kind, pos), nil
	case rxOpBackref:
		end, ok := m.backref(in, pos)
		return pc + 1, end, ok, nil
	case rxOpLook:
		ok, err := m.look(in, pc, pos)
		return in.x, pos, ok, err
	case rxOpAtomic:
		end, ok, err := m.atomic(pc+1, pos)
		return in.x, end, ok, err
	case rxOpCond:
		if m.saves[2*in.y+1] < 0 {
			return in.x, pos, true, nil
		}
		return pc + 1, pos, true, nil
	case rxOpRepeat:
		return m.repeat(in, pc, pos)
	case rxOpInit:
		return pc + 1, pos, true, m.setLoop(in.y, loopState{0, -1})
	case rxOpLoop:
		return m.loop(in, pc, pos)
	}
	return 0, 0, false, nil // rxOpMatch that is not accepted
}

func (m *machine) save(slot, v int) error {
	old := m.saves[slot]
	m.saves[slot] = v
	return m.push(choice{kind: choiceSave, pc: slot, pos: old})
}

func (m *machine) setLoop(i int, s loopState) error {
	old := m.loops[i]
	m.loops[i] = s
	return m.push(choice{kind: choiceLoop, pc: i, pos: old.count, extra: old.last})
}

// loop decides on one more round of the loop that follows. A round that
// matched nothing is the last.
func (m *machine) loop(in *instr, pc, pos int) (int, int, bool, error) {
	s := m.loops[in.y]
	switch {
	case s.count < in.min: // an empty round counts here
		return pc + 1, pos, true, m.setLoop(in.y, loopState{s.count + 1, s.last})
	case s.count >= in.max || s.last == pos:
		return in.x, pos, true, nil
	case in.lazy:
		// One more round is what to come back to, with the count raised.
		if err := m.setLoop(in.y, loopState{s.count + 1, pos}); err != nil {
			return 0, 0, false, err
		}
		return in.x, pos, true, m.push(choice{kind: choiceJump, pc: pc + 1, pos: pos})
	default:
		if err := m.push(choice{kind: choiceJump, pc: in.x, pos: pos}); err != nil {
			return 0, 0, false, err
		}
	}
	return pc + 1, pos, true, m.setLoop(in.y, loopState{s.count + 1, pos})
}

// repeat takes a repeated set: as much as it can, to give back one by one,
// or as little as it must, to take more.
func (m *machine) repeat(in *instr, pc, pos int) (int, int, bool, error) {
	count, limit, low := 0, in.max, pos
	if in.lazy {
		limit = in.min
	}
	for count < limit {
		r, n := m.at(pos)
		if n == 0 || !m.test(in, r) {
			break
		}
		if err := m.tick(); err != nil {
			return 0, 0, false, err
		}
		pos += n
		if count++; count == in.min {
			low = pos
		}
	}
	switch {
	case count < in.min:
		return 0, 0, false, nil
	case in.lazy:
		return pc + 1, pos, true, m.push(choice{kind: choiceMore, pc: pc, pos: pos, extra: count})
	case pos > low:
		return pc + 1, pos, true, m.push(choice{kind: choiceLess, pc: pc, pos: pos, extra: low})
	}
	return pc + 1, pos, true, nil
}
