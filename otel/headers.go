package otel

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// headerVariables are those that hold headers, and so credentials.
var headerVariables = []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"}

// checkHeaders refuses headers that the exporters of the signal cannot read. They
// would say so with the headers, or parts of them, and then export without.
func checkHeaders(signal string) error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_" + signal + "_HEADERS"} {
		list := env(name)
		if list == "" {
			continue
		}
		n := 0
		for pair := range strings.SplitSeq(list, ",") {
			n++
			key, value, ok := strings.Cut(pair, "=")
			_, err := url.PathUnescape(value)
			if !ok || err != nil || !httpguts.ValidHeaderFieldName(strings.TrimSpace(key)) {
				return fmt.Errorf("%s: want name=value pairs with commas between them, and the values URL-encoded; pair %d is none", name, n)
			}
		}
	}
	return nil
}

// registerHeaders makes secrets of the values of the exporter's headers,
// which hold its credentials.
func registerHeaders(r *Redactor) {
	for _, name := range headerVariables {
		for pair := range strings.SplitSeq(env(name), ",") {
			_, value, ok := strings.Cut(pair, "=")
			if !ok {
				value = pair
			}
			r.Register(strings.TrimSpace(value))
			if plain, err := url.PathUnescape(value); err == nil {
				value = strings.TrimSpace(plain)
				r.Register(value)
			}
			if _, token, ok := strings.Cut(value, " "); ok { // "Bearer TOKEN"
				r.Register(token)
			}
		}
	}
}
