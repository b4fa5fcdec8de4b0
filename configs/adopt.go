package configs

import "reflect"

// Adopt copies those settings of fresh to to that live names by their keys, and
// leaves the others as they are: for a role that takes up new settings while it
// runs.
func Adopt[T settings[T]](to *T, fresh T, live func(key string) bool) {
	into, from := reflect.ValueOf(to).Elem(), reflect.ValueOf(fresh)
	for _, s := range settingsOf(into.Type()) {
		if live(s.key) {
			into.FieldByIndex(s.index).Set(from.FieldByIndex(s.index))
		}
	}
}
