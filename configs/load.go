package configs

import (
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// settings is what Worker, Server and Client have in common.
type settings[T any] interface {
	defaults() T
	Validate() error
}

// LoadOptions says where Load looks. Its zero value means the environment of
// the process and nothing else.
type LoadOptions struct {
	// File is the settings file, which must exist.
	File string
	// Search names files to try when File is empty, for example worker.yaml
	// and /etc/pullrun/worker.yaml. The first that exists is read.
	Search []string
	// Environ is the variables, each as NAME=VALUE. Nil means os.Environ.
	Environ []string
	// Flags is a set that Flags added to and that has been parsed. Nil means
	// no flags.
	Flags *pflag.FlagSet
}

// Load reads the settings of T from flags, variables and a file, and says
// where each value came from. The error, if any, is [Problems] with
// everything that is wrong; the values are not to be used then, but the
// sources may be shown.
func Load[T settings[T]](opts LoadOptions) (T, Sources, error) {
	var values T
	values = values.defaults()
	target := reflect.ValueOf(&values).Elem()
	l := &loader{
		all:   settingsOf(target.Type()),
		viper: viper.New(),
		from:  map[string]string{},
	}
	l.addFile(opts.File, opts.Search, target.Type())
	l.addEnvironment(opts.Environ)
	l.addFlags(opts.Flags)
	l.decode(&values)
	l.readSecretFiles(target)
	l.check(values.Validate())
	return values, l.sources(target), l.problems.err()
}

// A loader collects what the places say. Viper keeps the layers apart and
// decides which one wins.
type loader struct {
	all      []setting
	viper    *viper.Viper
	from     map[string]string // by key; what is missing came from nowhere
	problems Problems
}

func (l *loader) addFile(explicit string, search []string, t reflect.Type) {
	data, name, err := readFile(explicit, search)
	if err != nil {
		l.problems.add("", "", "%v", err)
		return
	}
	d := decoder{place{name, true}, &l.problems}
	if err := l.viper.MergeConfigMap(d.file(data, t)); err != nil {
		l.problems.add("", name, "%v", err)
	}
}

func (l *loader) addEnvironment(environ []string) {
	if environ == nil {
		environ = os.Environ()
	}
	vars := map[string]string{}
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); value != "" {
			vars[name] = value
		}
	}
	for _, s := range l.all {
		if text := vars[s.env()]; text != "" {
			l.addText(s, text, s.env())
		}
	}
	l.refuseTypos(vars)
}

func (l *loader) addFlags(flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	for _, s := range l.all {
		if f := flags.Lookup(s.flag()); f != nil && f.Changed {
			if value, ok := f.Value.(*flagText); ok {
				l.addText(s, value.text, "flag --"+s.flag())
			}
		}
	}
}

// addText puts a value above those that were added before.
func (l *loader) addText(s setting, text, from string) {
	node, err := textNode(text, s.typ)
	if err != nil {
		l.problems.add(s.key, from, "%v", err)
		return
	}
	l.viper.Set(s.key, &given{s.key, place{name: from}, node})
}

// decode has viper put every value in its field. The hook does so itself,
// since only it knows the forms that are allowed; what it returns is already
// of the field's type, and viper has nothing left to convert.
func (l *loader) decode(values any) {
	hook := func(from, to reflect.Value) (any, error) {
		g, ok := from.Interface().(*given)
		if !ok {
			return from.Interface(), nil
		}
		before := len(l.problems)
		fresh := reflect.New(to.Type()).Elem()
		decoder{g.place, &l.problems}.decode(g.key, g.node, fresh)
		if len(l.problems) == before {
			to.Set(fresh)
		}
		l.from[g.key] = g.from()
		return to.Interface(), nil
	}
	if err := l.viper.UnmarshalExact(values, viper.DecodeHook(hook)); err != nil {
		l.problems.add("", "", "%v", err)
	}
}

// given returns what was said about a setting, or nil.
func (l *loader) given(s setting) *given {
	g, _ := l.viper.Get(s.key).(*given)
	return g
}

func (l *loader) readSecretFiles(target reflect.Value) {
	for _, p := range filePairs(target.Type()) {
		file, value := l.given(p.file), l.given(p.value)
		path := target.FieldByIndex(p.file.index).String()
		switch {
		case file.blank():
		case !value.blank():
			l.problems.add(p.value.key, value.from(), "%s", conflictOf(p.file.key+" ("+file.from()+")"))
		default:
			if err := setFromFile(target.FieldByIndex(p.value.index), path); err != nil {
				l.problems.add(p.file.key, file.from(), "%v", err)
			}
			l.from[p.value.key] = path
		}
	}
}

// check adds what Validate found, with the places of the values. A list of which
// something could not be read is empty here, which is no problem of its own.
func (l *loader) check(err error) {
	found, _ := err.(Problems)
	unread := l.problems
	for _, p := range found {
		if slices.ContainsFunc(unread, func(u Problem) bool { return strings.HasPrefix(u.Key, p.Key+"[") }) {
			continue
		}
		key, _, _ := strings.Cut(p.Key, "[")
		if p.other != "" {
			p.Message = conflictOf(p.other + " (" + l.source(p.other) + ")")
		}
		l.problems.add(p.Key, l.source(key), "%s", p.Message)
	}
}

func (l *loader) source(key string) string {
	if from, ok := l.from[key]; ok {
		return from
	}
	return "default"
}

func (l *loader) sources(values reflect.Value) Sources {
	all := make(Sources, 0, len(l.all))
	for _, s := range l.all {
		value := values.FieldByIndex(s.index)
		all = append(all, Source{s.key, format(value), l.source(s.key), value.Interface()})
	}
	return all
}
