package forward

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A collector is where one signal goes.
type collector struct {
	url       string
	headers   http.Header
	timeout   time.Duration
	transport *http.Transport
}

// sendTimeout is the specification's default for OTEL_EXPORTER_OTLP_TIMEOUT.
const sendTimeout = 10 * time.Second

// mostReason is how much is read of why a collector refuses, in bytes.
const mostReason = 300

// collectorFromEnv reads the variables of
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/. It returns nil
// where the signal has no collector.
func collectorFromEnv(s Signal) (*collector, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	address, err := endpoint(s)
	if err != nil || address == "" {
		return nil, err
	}
	c := &collector{url: address, headers: make(http.Header), timeout: sendTimeout}
	if err := c.readHeaders(s); err != nil {
		return nil, err
	}
	// One that makes no sense is ignored; package otel, which sets up the
	// process's own exports, says so.
	if n, err := strconv.Atoi(signalEnv(s, "TIMEOUT")); err == nil && n > 0 {
		c.timeout = time.Duration(n) * time.Millisecond
	}
	trust, err := trustFromEnv(s)
	if err != nil {
		return nil, err
	}
	c.transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     trust,
		TLSHandshakeTimeout: sendTimeout,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     2,
		IdleConnTimeout:     90 * time.Second,
	}
	return c, nil
}

// endpoint is the address that the signal is sent to, or "". A server whose own
// metrics are scraped forwards those of its workers all the same, where it is
// told to what address.
func endpoint(s Signal) (string, error) {
	exporter := env("OTEL_" + strings.ToUpper(string(s)) + "_EXPORTER")
	if exporter != "" && exporter != "otlp" && (s != Metrics || exporter != "prometheus") {
		return "", nil
	}
	name := "OTEL_EXPORTER_OTLP_" + strings.ToUpper(string(s)) + "_ENDPOINT"
	address := env(name)
	if address == "" && (s == Traces || exporter == "otlp") {
		name = "OTEL_EXPORTER_OTLP_ENDPOINT"
		if address = env(name); address != "" {
			address = strings.TrimSuffix(address, "/") + "/v1/" + string(s)
		}
	}
	if address == "" {
		return "", nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("%s: want a URL without credentials, such as http://localhost:4318", name) // it may hold a password
	}
	return address, nil
}

// readHeaders reads name=value pairs, whose values are URL-encoded. The error does
// not show them: they hold credentials.
func (c *collector) readHeaders(s Signal) error {
	list := signalEnv(s, "HEADERS")
	if list == "" {
		return nil
	}
	n := 0
	for pair := range strings.SplitSeq(list, ",") {
		n++
		name, value, ok := strings.Cut(pair, "=")
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		name = strings.TrimSpace(name)
		if !ok || err != nil || !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%s: want name=value pairs with commas between them, and the values URL-encoded; pair %d is none", signalName(s, "HEADERS"), n)
		}
		c.headers.Set(name, plain)
	}
	return nil
}

// trustFromEnv is whom the collector must be, and who we are to it.
func trustFromEnv(s Signal) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := signalEnv(s, "CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: no PEM certificate in %s", file)
		}
	}
	cert, key := signalEnv(s, "CLIENT_CERTIFICATE"), signalEnv(s, "CLIENT_KEY")
	if cert != "" && key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// signalEnv is the setting of the signal, or else that of all signals.
func signalEnv(s Signal, setting string) string { return env(signalName(s, setting)) }

// signalName is the variable that decides.
func signalName(s Signal, setting string) string {
	if own := "OTEL_EXPORTER_OTLP_" + strings.ToUpper(string(s)) + "_" + setting; env(own) != "" {
		return own
	}
	return "OTEL_EXPORTER_OTLP_" + setting
}

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// A refusal is an answer of the collector other than 2xx.
type refusal struct {
	status int
	after  time.Duration // that it asks to wait
	text   string        // that it gives as the reason, if that is a text
}

func (r refusal) Error() string {
	if r.text == "" {
		return fmt.Sprintf("the collector answers %d", r.status)
	}
	return fmt.Sprintf("the collector answers %d: %q", r.status, r.text)
}

// temporary reports whether the request may be sent again: by the
// specification of OTLP/HTTP after these and no other answers.
func (r refusal) temporary() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// send posts a request. The error is a refusal where there was an answer.
func (c *collector) send(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	if _, err := z.Write(body); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, &small)
	if err != nil {
		return err
	}
	r.Header = c.headers.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "gzip")
	answer, err := c.transport.RoundTrip(r) // a redirect is no answer of a collector
	if err != nil {
		return fmt.Errorf("send to the collector: %w", err)
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, mostReason)) // the status says enough without it
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)               // so that the connection is used again
	if err := answer.Body.Close(); err != nil {
		return fmt.Errorf("read the collector's answer: %w", err)
	}
	if answer.StatusCode/100 == 2 {
		return nil
	}
	refused := refusal{status: answer.StatusCode}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
		refused.text = strings.TrimSpace(strings.ToValidUTF8(string(text), ""))
	}
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s > 0 {
		refused.after = time.Duration(s) * time.Second
	}
	return refused
}
