package expr

// Helpers for functions written in Go, to take their arguments.

// orNone gives None for an argument that was not given.
func orNone(v Value) Value {
	if v == absent {
		return nil
	}
	return v
}

// isNone reports whether an argument was not given or is None.
func isNone(v Value) bool { return v == nil || v == absent }

// argInt takes an integer, def if it was not given.
func argInt(v Value, def int64) (int64, error) {
	if !given(v) {
		return def, nil
	}
	n, ok := integer(v)
	if !ok {
		if isNumber(v) && TypeName(v) == "int" {
			return 0, raise(excOverflowError, "Python int too large to convert to C ssize_t")
		}
		return 0, raise(excTypeError, "'%s' object cannot be interpreted as an integer", TypeName(v))
	}
	return n, nil
}

// argStr takes text, def if it was not given.
func argStr(v Value, def string) (string, error) {
	if !given(v) {
		return def, nil
	}
	s, ok := v.(string)
	if !ok {
		return "", raise(excTypeError, "expected str, not %s", TypeName(v))
	}
	return s, nil
}

// argSpan takes optional bounds of a sequence of n items, as a slice has
// them; ok is false if they exclude even an empty match at the start.
func argSpan(start, end Value, n int) (from, to int, err error) {
	low, err := sliceBound(orNone(start), 0)
	if err != nil {
		return 0, 0, err
	}
	high, err := sliceBound(orNone(end), int64(n))
	if err != nil {
		return 0, 0, err
	}
	if low < 0 {
		low = max(low+int64(n), 0)
	}
	if high < 0 {
		high = max(high+int64(n), 0)
	}
	return int(min(low, int64(n)+1)), int(min(high, int64(n))), nil
}
