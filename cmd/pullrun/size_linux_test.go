package main

import (
	"debug/elf"
	"slices"
	"testing"
)

// A program that may execute a template has all exported methods of its types
// linked, since a template can name any of them: 6 MB more of file, and 3 MB
// more resident in every worker.
func TestTheProgramExecutesNoTemplates(t *testing.T) {
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == name })
	}
	if !has("main.main") {
		t.Fatal("the program has no symbols to look at")
	}
	for _, name := range []string{"text/template.(*Template).Execute", "html/template.(*Template).Execute"} {
		if has(name) {
			t.Errorf("the program has %s; \"go build -ldflags=-dumpdep\" says what calls it", name)
		}
	}
}
