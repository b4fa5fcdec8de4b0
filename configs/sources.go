package configs

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"
)

// A Source says what one setting is and where that came from.
type Source struct {
	Key   string `json:"key"`
	Value string `json:"value"`  // as a variable would have it, with ••• for secrets
	From  string `json:"source"` // "flag --capacity", "PULLRUN_CAPACITY", "worker.yaml:12", a secret's file, or "default"

	full any // the value as it is, secrets too
}

// Same reports whether the setting has the same value in both, which Value does not
// tell of secrets.
func (s Source) Same(other Source) bool { return reflect.DeepEqual(s.full, other.full) }

// Sources lists every setting in the order of the commented files. It encodes
// as JSON as it is.
type Sources []Source

// WriteTable writes the sources in columns.
func (s Sources) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tVALUE\tSOURCE")
	for _, source := range s {
		fmt.Fprintf(table, "%s\t%s\t%s\n", source.Key, source.Value, source.From)
	}
	return table.Flush()
}
