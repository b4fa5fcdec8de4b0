package configs

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// format writes a value as a variable or a flag would have it.
func format(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		return formatDuration(value)
	case []string:
		return strings.Join(value, ",")
	case map[string]string:
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			pairs = append(pairs, key+"="+value[key])
		}
		return strings.Join(pairs, ",")
	}
	if v.Kind() == reflect.Slice {
		if v.Len() == 0 {
			return ""
		}
		return flow(v)
	}
	return fmt.Sprint(v.Interface())
}

// flow writes a list of structures as YAML in flow form, without the fields
// that are not set.
func flow(v reflect.Value) string {
	var parts []string
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			parts = append(parts, flow(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case isGroup(v.Type()):
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				parts = append(parts, keyOf(v.Type().Field(i))+": "+flow(v.Field(i)))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return format(v)
	}
}
