// Package pullrun holds the files of this repository that the program carries
// with it: the contract of the HTTP API, and the example pipelines. They are
// here, and not with the code that uses them, because embedding cannot reach a
// folder above.
package pullrun

import (
	"embed"
	"io/fs"
)

// OpenAPI is openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

//go:embed examples/*.yml
var examples embed.FS

// Examples are the pipelines of the folder examples.
func Examples() fs.FS {
	sub, err := fs.Sub(examples, "examples")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
