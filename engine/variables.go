package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pullrun/pullrun/engine/expr"
)

// ReadVariables reads the start variables of a run from a YAML file, or a JSON
// file, which is YAML too, and gives them as a JSON object. Scalars are
// understood as in pipeline files. The name is for errors, which say where.
func ReadVariables(name string, r io.Reader) (json.RawMessage, error) {
	lim := DefaultLimits()
	data, err := io.ReadAll(io.LimitReader(r, lim.FileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %q: %w", name, err)
	case int64(len(data)) > lim.FileBytes:
		return nil, fmt.Errorf("%q is larger than the limit of %d bytes", name, lim.FileBytes)
	}
	docs, err := parseYAML(data, lim)
	var wrong *yamlError
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("%s:%d:%d: %w", name, wrong.line, wrong.col, err)
	case err != nil:
		return nil, fmt.Errorf("%q: %w", name, err)
	case len(docs) == 0:
		return json.RawMessage("{}"), nil
	case len(docs) > 1:
		return nil, fmt.Errorf("%q holds %d documents, where one is wanted", name, len(docs))
	case docs[0].kind != mapNode:
		return nil, fmt.Errorf("%s:%d:%d: wants a map of names to values, got %s", name, docs[0].line, docs[0].col, docs[0].what())
	}
	return expr.ToJSON(raw(docs[0]))
}
