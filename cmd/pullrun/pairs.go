package main

import "github.com/spf13/pflag"

// pairsFlag is a flag that may be repeated, each time as name=value.
func pairsFlag(f *pflag.FlagSet, to *map[string]string, name, usage string) {
	f.StringToStringVar(to, name, nil, usage+", as `name=value`; may be repeated")
	f.Lookup(name).DefValue = "" // or the help says that it is []
}
