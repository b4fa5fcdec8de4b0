package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSpace is white space as Python has it, which takes the separators of
// ASCII's information blocks in.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

func trimSpace(s string) string { return strings.TrimFunc(s, isSpace) }

// isLineEnd is what splitlines cuts at.
func isLineEnd(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// digitTable holds the characters beyond decimal digits that isdigit takes:
// superscripts and circled digits.
var digitTable = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0xb2, Hi: 0xb3, Stride: 1}, {Lo: 0xb9, Hi: 0xb9, Stride: 1}, {Lo: 0x1369, Hi: 0x1371, Stride: 1},
		{Lo: 0x19da, Hi: 0x19da, Stride: 1}, {Lo: 0x2070, Hi: 0x2070, Stride: 1}, {Lo: 0x2074, Hi: 0x2079, Stride: 1},
		{Lo: 0x2080, Hi: 0x2089, Stride: 1}, {Lo: 0x2460, Hi: 0x2468, Stride: 1}, {Lo: 0x2474, Hi: 0x247c, Stride: 1},
		{Lo: 0x2488, Hi: 0x2490, Stride: 1}, {Lo: 0x24ea, Hi: 0x24ea, Stride: 1}, {Lo: 0x24f5, Hi: 0x24fd, Stride: 1},
		{Lo: 0x24ff, Hi: 0x24ff, Stride: 1}, {Lo: 0x2776, Hi: 0x277e, Stride: 1}, {Lo: 0x2780, Hi: 0x2788, Stride: 1},
		{Lo: 0x278a, Hi: 0x2792, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10a40, Hi: 0x10a43, Stride: 1}, {Lo: 0x10e60, Hi: 0x10e68, Stride: 1},
		{Lo: 0x11052, Hi: 0x1105a, Stride: 1}, {Lo: 0x1f100, Hi: 0x1f10a, Stride: 1},
	},
	LatinOffset: 2,
}

// ideographs that stand for numbers.
const numberIdeographs = "㐅㒃㠪㭍一七万三两九二五亖京亿什仟仨伍佰俩倆億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拐拾捌柒洞漆玖百皕秭肆萬貮貳贰鈎钩阡陆陌陸零"

func isDecimalRune(r rune) bool { return unicode.Is(unicode.Nd, r) }

func isDigitRune(r rune) bool { return isDecimalRune(r) || unicode.Is(digitTable, r) }

func isNumericRune(r rune) bool {
	return unicode.IsNumber(r) || r >= 0x3400 && strings.ContainsRune(numberIdeographs, r)
}

func isAlnumRune(r rune) bool { return unicode.IsLetter(r) || isNumericRune(r) || isDigitRune(r) }

// plainDigits replaces decimal digits of any script by those of ASCII.
func plainDigits(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || !isDecimalRune(r) {
			return r
		}
		return '0' + digitOf(r)
	}, s)
}

// digitOf gives the value of a decimal digit: they come in runs of ten.
func digitOf(r rune) rune {
	zero := r
	for zero > 0 && r-zero < 9 && isDecimalRune(zero-1) {
		zero--
	}
	return (r - zero) % 10
}

// asciiText writes what is not ASCII as escapes, as ascii() does.
func asciiText(s string) string {
	if isASCII(s) {
		return s
	}
	var b []byte
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r < 0x100:
			b = appendHex(append(b, '\\', 'x'), r, 2)
		case r < 0x10000:
			b = appendHex(append(b, '\\', 'u'), r, 4)
		default:
			b = appendHex(append(b, '\\', 'U'), r, 8)
		}
	}
	return string(b)
}

// reversedText runs over the characters from the end.
func reversedText(s string) iterator {
	return nextFunc(func(*eval) (Value, bool, error) {
		if s == "" {
			return nil, false, nil
		}
		_, n := utf8.DecodeLastRuneInString(s)
		last := s[len(s)-n:]
		s = s[:len(s)-n]
		return last, true, nil
	})
}

// isUpperRune and isLowerRune take in what Unicode only lists as such, as
// Roman numerals and superscripts.
func isUpperRune(r rune) bool {
	return unicode.IsUpper(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Other_Uppercase, r)
}

func isLowerRune(r rune) bool {
	return unicode.IsLower(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Other_Lowercase, r)
}
