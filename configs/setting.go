package configs

import (
	"reflect"
	"strings"
	"time"
)

// A setting is a leaf of a struct of settings: something that has a value of
// its own, and therefore a variable and a flag.
type setting struct {
	key   string // "server.url"
	doc   string
	typ   reflect.Type
	index []int // for reflect.Value.FieldByIndex
}

func (s setting) env() string {
	return "PULLRUN_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

func (s setting) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.key) }

// settingsOf lists the settings of a struct in the order of its fields.
func settingsOf(t reflect.Type) []setting {
	var all []setting
	for i := range t.NumField() {
		f := t.Field(i)
		if !isGroup(f.Type) {
			all = append(all, setting{keyOf(f), f.Tag.Get("doc"), f.Type, f.Index})
			continue
		}
		for _, s := range settingsOf(f.Type) {
			s.key = keyOf(f) + "." + s.key
			s.index = append([]int{i}, s.index...)
			all = append(all, s)
		}
	}
	return all
}

func keyOf(f reflect.StructField) string { return f.Tag.Get("mapstructure") }

// fieldOf finds the field of a struct that a key of a file stands for.
func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); keyOf(f) == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

var (
	secretType   = reflect.TypeFor[Secret]()
	urlType      = reflect.TypeFor[URL]()
	sizeType     = reflect.TypeFor[Size]()
	durationType = reflect.TypeFor[time.Duration]()
)

// isGroup reports whether a field holds settings rather than being one.
func isGroup(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != secretType && t != urlType
}
