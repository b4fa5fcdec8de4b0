package expr

import "unicode/utf8"

// What work costs. An instruction is a tick, whatever else takes as long is
// as many.
const (
	ticksPerStep = 4
	bytesPerTick = 64 // compared or searched
	wordsPerTick = 16 // set
	wideTicks    = 2  // of finding a character beyond ASCII in a table
)

// tick counts an instruction.
func (m *machine) tick() error {
	if m.ticks++; m.ticks < ticksPerStep {
		return nil
	}
	return m.pay()
}

// pay turns ticks into steps.
func (m *machine) pay() error {
	steps := m.ticks / ticksPerStep
	m.ticks %= ticksPerStep
	return m.ev.spend(steps)
}

// test applies the test of an instruction to a character.
func (m *machine) test(in *instr, r rune) bool {
	if r >= utf8.RuneSelf {
		m.ticks += in.wide
	}
	return in.test(r)
}
