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

// distance counts the characters to insert, delete or replace, and the neighbours
// to swap, to turn a into b (Levenshtein's, with swaps).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1) // by how much of a, and then of b
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
				}
			}
		}
	}
	return rows[len(a)][len(b)]
}
