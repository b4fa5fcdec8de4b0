package configs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write worker.yaml, server.yaml and client.yaml anew")

const fileHeader = `# Settings of a pullrun %s with their defaults: a file may leave out whatever
# it does not change. Below each description stand the variable and the flag
# that go before the file.
`

func TestFilesAreTheDefaults(t *testing.T) {
	t.Parallel()
	t.Run("worker.yaml", func(t *testing.T) { testFile(t, "worker", DefaultWorker(), WorkerFile()) })
	t.Run("server.yaml", func(t *testing.T) { testFile(t, "server", DefaultServer(), ServerFile()) })
	t.Run("client.yaml", func(t *testing.T) { testFile(t, "client", DefaultClient(), ClientFile()) })
}

func testFile[T settings[T]](t *testing.T, role string, defaults T, embedded string) {
	name := role + ".yaml"
	want := fmt.Sprintf(fileHeader, role) + render(reflect.ValueOf(defaults), "", "")
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		embedded = want
	}
	if diff := cmp.Diff(want, embedded); diff != "" {
		t.Errorf("%s is not what the structs say; run go test ./configs -update (-want +got)\n%s", name, diff)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(embedded), 0o644); err != nil {
		t.Fatal(err)
	}
	got, sources, err := Load[T](LoadOptions{File: path, Environ: environment(nil)})
	if err != nil {
		t.Fatalf("Load(%s) = %v", name, err)
	}
	if diff := diff(defaults, got); diff != "" {
		t.Errorf("Load(%s) is not the defaults (-want +got)\n%s", name, diff)
	}
	for _, s := range sources {
		if !strings.HasPrefix(s.From, path+":") {
			t.Errorf("%s comes from %s, want a line of %s", s.Key, s.From, name)
		}
	}
}

// render writes a struct of settings as a commented file.
func render(v reflect.Value, indent, prefix string) string {
	var b strings.Builder
	for i := range v.NumField() {
		f := v.Type().Field(i)
		b.WriteString("\n" + comment(indent, f.Tag.Get("doc")))
		if isGroup(f.Type) {
			fmt.Fprintf(&b, "%s%s:", indent, keyOf(f))
			b.WriteString(strings.Replace("\n"+render(v.Field(i), indent+"  ", prefix+keyOf(f)+"."), "\n\n", "\n", 1))
			continue
		}
		if f.Type.Kind() == reflect.Slice && isGroup(f.Type.Elem()) {
			b.WriteString(comment(indent, "Each is a map of:"))
			for i := range f.Type.Elem().NumField() {
				item := f.Type.Elem().Field(i)
				b.WriteString(comment(indent, "- "+keyOf(item)+": "+item.Tag.Get("doc")))
			}
		}
		s := setting{key: prefix + keyOf(f)}
		fmt.Fprintf(&b, "%s# %s, --%s\n", indent, s.env(), s.flag())
		fmt.Fprintf(&b, "%s%s: %s\n", indent, keyOf(f), yamlText(v.Field(i)))
	}
	return b.String()
}

func comment(indent, text string) string {
	var b strings.Builder
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// yamlText writes a value as a file has it.
func yamlText(v reflect.Value) string {
	text := format(v)
	switch {
	case v.Kind() == reflect.Map:
		return "{" + strings.ReplaceAll(strings.ReplaceAll(text, "=", ": "), ",", ", ") + "}"
	case v.Kind() == reflect.Slice && isGroup(v.Type().Elem()) && v.Len() > 0:
		return text
	case v.Kind() == reflect.Slice:
		return "[" + strings.ReplaceAll(text, ",", ", ") + "]"
	case text == "" || strings.ContainsAny(text, " {}[]#&*!|>%@`'\""):
		return strconv.Quote(text)
	}
	return text
}
