package engine

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

// The plain scalars of YAML 1.2 as pipelines have always been read: `yes` is
// text, `012` is twelve, `1_000` is a thousand, and a date is a date.
var (
	decimalScalar   = regexp.MustCompile(`^[-+]?[0-9][0-9_]*$`)
	binaryScalar    = regexp.MustCompile(`^[-+]?0b[01_]+$`)
	octalScalar     = regexp.MustCompile(`^[-+]?0o[0-7_]+$`)
	hexScalar       = regexp.MustCompile(`^[-+]?0x[0-9a-fA-F_]+$`)
	floatScalar     = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+][0-9]+)?)$`)
	infinityScalar  = regexp.MustCompile(`^[-+]?\.(?:inf|Inf|INF)$`)
	nanScalar       = regexp.MustCompile(`^\.(?:nan|NaN|NAN)$`)
	dateScalar      = regexp.MustCompile(`^([0-9]{4})-([0-9]{2})-([0-9]{2})$`)
	timestampScalar = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(?:(Z)|([-+])([0-9]{1,2})(?::?([0-9]{2}))?))?$`)
)

// maxDigits bounds an integer written in a file, as it bounds one in an
// expression.
const maxDigits = 4300

// plainScalar gives the value of a scalar that is neither quoted nor tagged.
func plainScalar(s string) expr.Value {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	if !strings.ContainsRune("-+.0123456789", rune(s[0])) {
		return s
	}
	if v, ok := integerScalar(s); ok {
		return v
	}
	if v, ok := realScalar(s); ok {
		return v
	}
	if v, ok := timeScalar(s); ok {
		return v
	}
	return s
}

func integerScalar(s string) (expr.Value, bool) {
	digits, base := s, 0
	switch {
	case len(s) > maxDigits:
		return nil, false
	case decimalScalar.MatchString(s):
		base = 10
	case binaryScalar.MatchString(s):
		digits, base = strings.Replace(s, "0b", "", 1), 2
	case octalScalar.MatchString(s):
		digits, base = strings.Replace(s, "0o", "", 1), 8
	case hexScalar.MatchString(s):
		digits, base = strings.Replace(s, "0x", "", 1), 16
	default:
		return nil, false
	}
	n, ok := new(big.Int).SetString(strings.ReplaceAll(digits, "_", ""), base)
	if !ok {
		return nil, false
	}
	if n.IsInt64() {
		return n.Int64(), true
	}
	return n, true
}

func realScalar(s string) (expr.Value, bool) {
	switch {
	case infinityScalar.MatchString(s):
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case nanScalar.MatchString(s):
		return math.NaN(), true
	case floatScalar.MatchString(s):
		f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
		if err != nil && !math.IsInf(f, 0) { // out of range is infinite, as in Python
			return nil, false
		}
		return f, true
	}
	return nil, false
}

// timeScalar gives a date, or a time in UTC.
func timeScalar(s string) (expr.Value, bool) {
	if m := dateScalar.FindStringSubmatch(s); m != nil {
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return nil, false
		}
		return expr.DateOf(t), true
	}
	m := timestampScalar.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	var n [6]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // the pattern admits digits only
	}
	fraction, _ := strconv.Atoi((m[7] + "000000")[:6])
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], fraction*1000, time.UTC)
	if t.Month() != time.Month(n[1]) || t.Day() != n[2] || n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return nil, false
	}
	if m[9] != "" {
		hours, _ := strconv.Atoi(m[10])
		minutes, _ := strconv.Atoi(m[11])
		offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		if m[9] == "+" {
			offset = -offset
		}
		t = t.Add(offset)
	}
	return expr.DatetimeOf(t, false), true
}
