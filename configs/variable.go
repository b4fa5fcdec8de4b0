package configs

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

const variablePrefix = "PULLRUN_"

// refuseTypos refuses variables whose names are all but those of settings. Others
// that begin like ours are somebody else's: Kubernetes makes some for a service
// of that name, and images have their own.
func (l *loader) refuseTypos(vars map[string]string) {
	known := map[string]bool{}
	for _, t := range []reflect.Type{reflect.TypeFor[Worker](), reflect.TypeFor[Server](), reflect.TypeFor[Client]()} {
		for _, s := range settingsOf(t) {
			known[s.env()] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !strings.HasPrefix(name, variablePrefix) || known[name] {
			continue
		}
		if meant := l.nearestVariable(name); meant != "" {
			l.problems.add(name, "", "there is no such setting; did you mean %s?", meant)
		}
	}
}

// nearestVariable is the variable of these settings that differs from the name in
// a letter of every four at most, or "".
func (l *loader) nearestVariable(name string) string {
	short := strings.TrimPrefix(name, variablePrefix)
	best, least := "", max(1, len(short)/4)+1
	for _, s := range l.all {
		if d := distance(short, strings.TrimPrefix(s.env(), variablePrefix)); d < least {
			best, least = s.env(), d
		}
	}
	return best
}
