package otel

import (
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ignoreNonsense warns of variables whose values make no sense, by their names
// alone, and takes them out of the environment: the specification has them
// ignored, and whoever reads them later does so. Where to export to is not among
// them: a process that cannot know that does not start.
func ignoreNonsense(log *slog.Logger) {
	for name, sensible := range sensibles {
		if value := env(name); value != "" && !sensible(value) {
			log.Warn("a variable makes no sense and is ignored", "setting", name)
			_ = os.Unsetenv(name) // it has been set, so it has a name that can be
		}
	}
}

// sensibles say what values make sense.
var sensibles = map[string]func(string) bool{
	"OTEL_TRACES_SAMPLER":      isSampler,
	"OTEL_TRACES_SAMPLER_ARG":  isSamplerArg,
	"OTEL_RESOURCE_ATTRIBUTES": areAttributes,

	"OTEL_BSP_SCHEDULE_DELAY":        isPositive,
	"OTEL_BSP_EXPORT_TIMEOUT":        isPositive,
	"OTEL_BSP_MAX_QUEUE_SIZE":        isPositive,
	"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": isPositive,
	"OTEL_BLRP_EXPORT_TIMEOUT":       isPositive,
	"OTEL_BLRP_MAX_QUEUE_SIZE":       isPositive,
	"OTEL_METRIC_EXPORT_INTERVAL":    isPositive,
	"OTEL_METRIC_EXPORT_TIMEOUT":     isPositive,

	"OTEL_EXPORTER_OTLP_TIMEOUT":         isPositive,
	"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT":  isPositive,
	"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": isPositive,
	"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT":    isPositive,

	"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":      isNumber,
	"OTEL_ATTRIBUTE_COUNT_LIMIT":             isNumber,
	"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": isNumber,
	"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":        isNumber,
	"OTEL_SPAN_EVENT_COUNT_LIMIT":            isNumber,
	"OTEL_SPAN_LINK_COUNT_LIMIT":             isNumber,
	"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT":       isNumber,
	"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT":        isNumber,
}

func isSampler(value string) bool {
	known := []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}
	return slices.Contains(known, strings.ToLower(value))
}

// isSamplerArg judges the argument of the samplers that have one.
func isSamplerArg(value string) bool {
	ratio, err := strconv.ParseFloat(value, 64)
	return !strings.HasSuffix(strings.ToLower(env("OTEL_TRACES_SAMPLER")), "traceidratio") || err == nil && ratio >= 0 && ratio <= 1
}

func areAttributes(value string) bool {
	for pair := range strings.SplitSeq(value, ",") {
		_, text, found := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(text); !found || err != nil {
			return false
		}
	}
	return true
}

func isPositive(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n > 0
}

func isNumber(value string) bool {
	_, err := strconv.Atoi(value)
	return err == nil
}
