package otel

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporterKind is a value of OTEL_TRACES_EXPORTER.
type exporterKind string

const (
	exporterNone    exporterKind = "none"
	exporterOTLP    exporterKind = "otlp"
	exporterConsole exporterKind = "console"
	exporterThrough exporterKind = "through" // no value of the variable
)

// exporterFromEnv reads where the traces go. Where it does not say, and
// another place is known, they go there. It refuses what the SDK would take
// for something else without a word.
func exporterFromEnv(elsewhere bool) (exporterKind, error) {
	// The specification has it that only "true" disables. The Go SDK does not
	// look.
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return exporterNone, nil
	}
	kind := exporterKind(env("OTEL_TRACES_EXPORTER"))
	switch kind {
	case "":
		switch _, endpoint := otlpEnv("TRACES", "ENDPOINT"); {
		case endpoint != "":
			kind = exporterOTLP
		case elsewhere:
			return exporterThrough, checkHeaders("TRACES")
		default:
			return exporterNone, nil
		}
	case exporterNone, exporterConsole:
		return kind, nil
	case exporterOTLP:
	default:
		return "", fmt.Errorf(`OTEL_TRACES_EXPORTER: unknown exporter %q; choose "otlp", "console" or "none"`, kind)
	}
	return kind, checkExport("TRACES")
}

// checkExport reads the settings of a signal's exporter, which the exporter itself
// takes for something else, or complains of with what they hold.
func checkExport(signal string) error {
	if err := checkProtocol(signal); err != nil {
		return err
	}
	if err := checkEndpoint(signal); err != nil {
		return err
	}
	return checkHeaders(signal)
}

func checkProtocol(signal string) error {
	name, value := otlpEnv(signal, "PROTOCOL")
	switch value {
	case "", "http/protobuf", "http/json":
		return nil
	}
	return fmt.Errorf(`%s: %q is not built in; choose "http/protobuf" or "http/json"`, name, value)
}

func checkEndpoint(signal string) error {
	name, value := otlpEnv(signal, "ENDPOINT")
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	var parse *url.Error
	switch {
	case errors.As(err, &parse): // its text holds the value, and so perhaps a password
		return fmt.Errorf("%s: %w", name, parse.Err)
	case u.User != nil:
		return fmt.Errorf("%s: credentials are not taken from the URL; set OTEL_EXPORTER_OTLP_HEADERS", name)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%s: want a URL such as http://localhost:4318, got %q", name, redactURLs(value))
	}
	return nil
}

// newExporter opens the exporter of the kind. It sends nothing yet.
func newExporter(ctx context.Context, kind exporterKind, through *Through) (sdktrace.SpanExporter, error) {
	switch kind {
	case exporterConsole:
		return stdouttrace.New(stdouttrace.WithWriter(os.Stderr))
	case exporterThrough:
		return otlptracehttp.New(ctx,
			otlptracehttp.WithEndpointURL(through.Endpoint+"/v1/traces"),
			otlptracehttp.WithHTTPClient(through.Client),
			otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		)
	}
	return otlptracehttp.New(ctx, endpointOptions()...)
}

// defaultEndpoint is the specification's; the exporter's own is https.
const defaultEndpoint = "http://localhost:4318/v1/traces"

// endpointOptions has the exporter keep to the environment.
func endpointOptions() []otlptracehttp.Option {
	if _, endpoint := otlpEnv("TRACES", "ENDPOINT"); endpoint != "" {
		return nil
	}
	return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(defaultEndpoint)}
}

// positive reads a variable that holds a number; one that is none, or not set, is
// the default, by the specification.
func positive(name string, otherwise int) int {
	if n, err := strconv.Atoi(env(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// otlpEnv returns the variable that decides the setting of a signal, and its
// value: the one for the signal wins over the one for all.
func otlpEnv(signal, setting string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_" + signal + "_" + setting
	if value = env(name); value != "" {
		return name, value
	}
	name = "OTEL_EXPORTER_OTLP_" + setting
	return name, env(name)
}

// env returns a variable's value. One that is empty is unset, by the
// specification.
func env(name string) string {
	return strings.TrimSpace(os.Getenv(name))
}
