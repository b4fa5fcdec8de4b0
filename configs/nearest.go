package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// didYouMean offers the key of t that looks most like name, if any does.
// Keys below t count too, so that server_url finds server.url.
func didYouMean(name string, t reflect.Type) string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, keyOf(t.Field(i)))
	}
	for _, s := range settingsOf(t) {
		keys = append(keys, s.key)
	}
	best, least := "", 2+len(name)/4
	for _, key := range keys {
		if d := distance(name, key); d < least {
			best, least = key, d
		}
	}
	if best == "" {
		return ""
	}
	if group, key, ok := strings.Cut(best, "."); ok {
		return fmt.Sprintf("; did you mean %q below %q?", key, group)
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance counts the characters to insert, delete or replace to turn a into
// b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
