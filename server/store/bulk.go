package store

import (
	"fmt"
	"regexp"
	"strings"
)

// A bulk is a statement that is run for many rows of arguments at once. What it
// costs a database to begin a statement is then paid once, and not per row.
type bulk struct {
	one   string // takes the columns of one row
	many  string // takes the columns of all rows, each as an array
	kinds []string
}

// newBulk makes a bulk from a text that names its arguments, such as :state, and
// takes them FROM given. Columns are their names and types, in the order in which
// a row has them.
func newBulk(text string, columns ...string) *bulk {
	b := &bulk{}
	places := map[string]int{}
	var names, arrays []string
	for i, column := range columns {
		name, kind, _ := strings.Cut(column, " ")
		places[name] = i + 1
		b.kinds = append(b.kinds, kind)
		names = append(names, name)
		arrays = append(arrays, fmt.Sprintf("CAST(?%d AS %s[])", i+1, kind))
	}
	given := fmt.Sprintf(" FROM unnest(%s) AS given (%s)", strings.Join(arrays, ", "), strings.Join(names, ", "))
	argument := regexp.MustCompile(`:[a-z_]+`)
	b.many = argument.ReplaceAllStringFunc(strings.Replace(text, " FROM given", given, 1), func(name string) string {
		return "given." + name[1:]
	})
	text = argument.ReplaceAllStringFunc(text, func(name string) string { return fmt.Sprint("?", places[name[1:]]) })
	if head, values, inserts := strings.Cut(text, "SELECT "); inserts {
		b.one = head + "VALUES (" + strings.Replace(values, " FROM given WHERE true", ")", 1)
	} else {
		b.one = strings.Replace(text, " FROM given", "", 1)
	}
	return b
}

// columns turns rows into arrays.
func (b *bulk) columns(rows [][]any) []any {
	out := make([]any, len(b.kinds))
	for i, kind := range b.kinds {
		switch kind {
		case "bigint":
			column := make([]int64, len(rows))
			for n, row := range rows {
				column[n] = row[i].(int64)
			}
			out[i] = column
		case "text":
			column := make([]string, len(rows))
			for n, row := range rows {
				column[n] = plain(row[i].(string))
			}
			out[i] = column
		case "bytea":
			column := make([][]byte, len(rows))
			for n, row := range rows {
				column[n] = row[i].([]byte)
			}
			out[i] = column
		}
	}
	return out
}

// What is sent to a database at once.
const (
	bulkRows  = 1000
	bulkBytes = 16 << 20
)

// parts cuts rows into pieces that may be sent.
func (b *bulk) parts(rows [][]any) (out [][][]any) {
	first, size := 0, 0
	for n, row := range rows {
		weight := 0
		for _, v := range row {
			switch v := v.(type) {
			case string:
				weight += len(v)
			case []byte:
				weight += len(v)
			}
		}
		if n > first && (n-first == bulkRows || size+weight > bulkBytes) {
			out = append(out, rows[first:n])
			first, size = n, 0
		}
		size += weight
	}
	return append(out, rows[first:])
}
