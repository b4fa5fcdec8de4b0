package expr

import "strings"

// A wrapper fills lines with chunks of text, as Python's TextWrapper does.
type wrapper struct {
	ev          *eval
	width       int
	first, rest string // what the lines begin with
	breakLong   bool
	maxLines    int // 0 for no bound
	placeholder string
	lines       []string
	line        []string // the chunks of the line that is being filled
	used        int
}

// wrap takes the arguments of textwrap.wrap.
func (ev *eval) wrap(a []Value) ([]string, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	w := wrapper{ev: ev, breakLong: !given(a[4]) || Truth(a[4])}
	width, err := argInt(a[1], 70)
	if err != nil {
		return nil, err
	}
	if width <= 0 {
		return nil, raise(excValueError, "invalid width %d (must be > 0)", width)
	}
	w.width = int(min(width, 1<<30))
	if w.first, err = argStr(a[2], ""); err != nil {
		return nil, err
	}
	if w.rest, err = argStr(a[3], ""); err != nil {
		return nil, err
	}
	if !isNone(a[5]) {
		n, err := argInt(a[5], 0)
		if err != nil {
			return nil, err
		}
		w.maxLines = int(min(max(n, 1), 1<<30))
	}
	if w.placeholder, err = argStr(a[6], " [...]"); err != nil {
		return nil, err
	}
	// Each line costs its indentation, and each character may be a line.
	if err := ev.growTimes(int64(len(s)+1), 16+len(w.first)+len(w.rest)); err != nil {
		return nil, err
	}
	if err := ev.spend(len(s)); err != nil {
		return nil, err
	}
	expanded, err := strExpandTabs(ev, []Value{s, absent})
	if err != nil {
		return nil, err
	}
	flat := strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\v\f\r", r) {
			return ' '
		}
		return r
	}, expanded.(string))
	return w.wrap(chunks(flat))
}

func (w *wrapper) indent() string {
	if len(w.lines) == 0 {
		return w.first
	}
	return w.rest
}

func (w *wrapper) room() int { return w.width - textLen(w.indent()) }

func (w *wrapper) wrap(chunks []string) ([]string, error) {
	if w.maxLines > 0 && textLen(w.rest)+textLen(strings.TrimLeft(w.placeholder, " ")) > w.width {
		return nil, raise(excValueError, "placeholder too large for max width")
	}
	for len(chunks) > 0 {
		w.line, w.used = nil, 0
		if strings.TrimSpace(chunks[0]) == "" && len(w.lines) > 0 {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && w.used+textLen(chunks[0]) <= w.room() {
			w.take(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && textLen(chunks[0]) > w.room() {
			if err := w.ev.spend(len(chunks[0]) / 64); err != nil {
				return nil, err
			}
			chunks = w.long(chunks)
		}
		w.dropSpace()
		if len(w.line) == 0 {
			continue
		}
		if w.maxLines > 0 && len(w.lines)+1 >= w.maxLines && !w.atEnd(chunks) {
			w.cut()
			return w.lines, nil
		}
		w.lines = append(w.lines, w.indent()+strings.Join(w.line, ""))
	}
	return w.lines, nil
}

func (w *wrapper) take(chunk string) {
	w.line = append(w.line, chunk)
	w.used += textLen(chunk)
}

// long deals with a chunk that fits on no line: it is broken, or stands
// alone.
func (w *wrapper) long(chunks []string) []string {
	switch room := max(w.room(), 1); {
	case w.breakLong:
		cut := textOffset(chunks[0], min(max(room-w.used, 0), textLen(chunks[0])))
		if cut == 0 && len(w.line) > 0 {
			return chunks
		}
		cut = max(cut, textOffset(chunks[0], 1))
		w.take(chunks[0][:cut])
		chunks[0] = chunks[0][cut:]
		return chunks
	case len(w.line) == 0:
		w.take(chunks[0])
		return chunks[1:]
	}
	return chunks
}

func (w *wrapper) dropSpace() {
	if n := len(w.line); n > 0 && strings.TrimSpace(w.line[n-1]) == "" {
		w.used -= textLen(w.line[n-1])
		w.line = w.line[:n-1]
	}
}

// atEnd reports whether nothing but white space is left, and the line fits.
func (w *wrapper) atEnd(chunks []string) bool {
	return (len(chunks) == 0 || len(chunks) == 1 && strings.TrimSpace(chunks[0]) == "") && w.used <= w.room()
}

// cut ends the last line with the placeholder.
func (w *wrapper) cut() {
	for len(w.line) > 0 {
		n := len(w.line)
		if strings.TrimSpace(w.line[n-1]) != "" && w.used+textLen(w.placeholder) <= w.room() {
			w.lines = append(w.lines, w.indent()+strings.Join(w.line, "")+w.placeholder)
			return
		}
		w.used -= textLen(w.line[n-1])
		w.line = w.line[:n-1]
	}
	if n := len(w.lines); n > 0 {
		last := strings.TrimRight(w.lines[n-1], " ")
		if textLen(last)+textLen(w.placeholder) <= w.width {
			w.lines[n-1] = last + w.placeholder
			return
		}
	}
	w.lines = append(w.lines, w.indent()+strings.TrimLeft(w.placeholder, " "))
}
