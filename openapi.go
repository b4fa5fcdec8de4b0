// Package pullrun holds the contract of the HTTP API as a file that the server
// can serve. It is here, and not with the server, because embedding cannot
// reach a folder above.
package pullrun

import _ "embed"

// OpenAPI is openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte
