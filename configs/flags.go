package configs

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// Flags adds a flag for each setting of T to fs, or for those of only, which are
// named as in a file, such as "server.url". The flags accept any text; it is Load
// that judges it, together with everything else. Help shows all flags in the order
// in which they were added, so that settings stand together, behind a command's own.
func Flags[T settings[T]](fs *pflag.FlagSet, only ...string) {
	var zero T
	defaults := reflect.ValueOf(zero.defaults())
	fs.SortFlags = false
	for _, s := range settingsOf(defaults.Type()) {
		if len(only) > 0 && !slices.Contains(only, s.key) {
			continue
		}
		value := defaults.FieldByIndex(s.index)
		f := fs.VarPF(&flagText{text: format(value), typ: s.typ}, s.flag(), "", usage(s))
		if s.typ.Kind() == reflect.Bool {
			f.NoOptDefVal = "true"
		}
	}
}

// usage is the first sentence of a setting's contract, as help texts go, and
// its variable.
func usage(s setting) string {
	sentence, _, _ := strings.Cut(s.doc, ". ")
	first, size := utf8.DecodeRuneInString(sentence)
	text := string(unicode.ToLower(first)) + strings.TrimSuffix(sentence[size:], ".")
	if s.typ == secretType {
		text += "; others can see a flag, so rather use --" + s.flag() + "-file"
	}
	return text + " [$" + s.env() + "]"
}

// A flagText keeps the text of a flag as it was given. Flags of lists and
// maps may be repeated.
type flagText struct {
	text string
	typ  reflect.Type
	set  bool
}

func (f *flagText) Set(text string) error {
	if kind := f.typ.Kind(); f.set && (kind == reflect.Slice && !isGroup(f.typ.Elem()) || kind == reflect.Map) {
		text = f.text + "," + text
	}
	f.text, f.set = text, true
	return nil
}

// String is for help texts and whoever prints flags.
func (f *flagText) String() string {
	switch {
	case f.typ == secretType || f.typ.Kind() == reflect.Slice && isGroup(f.typ.Elem()):
		return NewSecret(f.text).String()
	case f.typ == urlType:
		return NewURL(f.text).String()
	}
	return f.text
}

// Type names what the flag wants in help texts.
func (f *flagText) Type() string {
	switch {
	case f.typ == durationType:
		return "duration"
	case f.typ == sizeType:
		return "size"
	case f.typ == urlType:
		return "url"
	case f.typ.Kind() == reflect.Map:
		return "key=value,..."
	case f.typ.Kind() == reflect.Slice && isGroup(f.typ.Elem()):
		return "yaml"
	case f.typ.Kind() == reflect.Slice:
		return "a,b,..."
	case f.typ.Kind() == reflect.Struct:
		return "text"
	default:
		return f.typ.Kind().String()
	}
}
