package oteltest

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The measures of a picture, in pixels.
const (
	svgWidth  = 1040
	svgNames  = 320 // width of the names
	svgRight  = 76  // kept free for the last duration
	svgHead   = 78
	svgRow    = 24
	svgBar    = 12
	svgIndent = 14
)

// svgColour is a service's own colour, in every picture the same.
func svgColour(service string) string {
	switch service {
	case "pullrun-client":
		return "#7c5cd6"
	case "pullrun-server":
		return "#0d8f83"
	case "pullrun-worker":
		return "#d9822b"
	}
	return "#3b78c9"
}

const svgError = "#c8303d"

// SVG draws a trace as it happened: one line for each span, under its parent,
// with a bar from its start to its end in the colour of its service, and errors
// marked.
func SVG(title string, spans []Span) string {
	p := picture{spans: spans}
	f := newForest(spans)
	for _, root := range f.roots {
		p.place(f, root, 0)
	}
	if len(p.rows) == 0 {
		return ""
	}
	p.measure()
	p.draw(title)
	return p.b.String()
}

type picture struct {
	spans    []Span
	rows     []svgSpan
	services []string
	attempts bool // there is more than one

	start time.Time
	scale float64 // pixels per nanosecond
	last  time.Duration
	b     strings.Builder
}

type svgSpan struct {
	Span
	depth int
}

func (p *picture) place(f forest, s Span, depth int) {
	p.rows = append(p.rows, svgSpan{s, depth})
	if !slices.Contains(p.services, s.Service) {
		p.services = append(p.services, s.Service)
	}
	p.attempts = p.attempts || cmp.Or(s.Attributes["pullrun.attempt"], "1") != "1"
	for _, child := range f.children[s.TraceID+s.SpanID] {
		p.place(f, child, depth+1)
	}
}

func (p *picture) measure() {
	p.start = slices.MinFunc(p.spans, func(a, b Span) int { return a.Start.Compare(b.Start) }).Start
	end := slices.MaxFunc(p.spans, func(a, b Span) int { return a.End.Compare(b.End) }).End
	p.last = max(end.Sub(p.start), time.Microsecond)
	p.scale = (svgWidth - svgNames - svgRight) / float64(p.last)
}

// x is where a time is.
func (p *picture) x(at time.Time) float64 { return svgNames + float64(at.Sub(p.start))*p.scale }

func (p *picture) draw(title string) {
	height := svgHead + len(p.rows)*svgRow + 12
	p.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="ui-sans-serif, system-ui, 'Helvetica Neue', Arial, sans-serif" font-size="12" role="img">`, svgWidth, height)
	p.f(`<title>%s</title>`, escape(title))
	p.f(`<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="#ffffff" stroke="#d5d9e0"/>`, svgWidth-1, height-1)
	p.f(`<text x="16" y="26" font-size="15" font-weight="600" fill="#1c2430">%s</text>`, escape(title))
	p.legend()
	p.axis(height)
	for i, row := range p.rows {
		p.row(i, row)
	}
	p.b.WriteString("</svg>\n")
}

func (p *picture) legend() {
	x := 16
	for _, service := range p.services {
		p.f(`<rect x="%d" y="40" width="12" height="12" rx="3" fill="%s"/><text x="%d" y="50" fill="#4a5462">%s</text>`, x, svgColour(service), x+18, escape(service))
		x += 30 + 7*len(service)
	}
	if !slices.ContainsFunc(p.spans, func(s Span) bool { return s.Status == "error" }) {
		return
	}
	p.f(`<rect x="%d" y="40.5" width="11" height="11" rx="3" fill="#fff" stroke="%s" stroke-width="2"/><text x="%d" y="50" fill="#4a5462">error</text>`, x, svgError, x+18)
}

// axis draws a line where a round time is, up to seven of them.
func (p *picture) axis(height int) {
	step := roundStep(p.last / 7)
	for at := time.Duration(0); at <= p.last; at += step {
		x := p.x(p.start.Add(at))
		p.f(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#e6e9ee"/>`, x, svgHead-6, x, height-10)
		p.f(`<text x="%.1f" y="%d" fill="#7a8494" font-size="11" text-anchor="middle">%s</text>`, x, svgHead-12, lasting(at))
	}
}

func (p *picture) row(i int, s svgSpan) {
	y := svgHead + i*svgRow
	if i%2 == 1 {
		p.f(`<rect x="8" y="%d" width="%d" height="%d" fill="#7a8494" fill-opacity="0.06"/>`, y, svgWidth-16, svgRow)
	}
	colour, text := svgColour(s.Service), "#1c2430"
	name := s.Name
	if p.attempts && s.Attributes["pullrun.attempt"] != "" && !strings.HasPrefix(name, "settle") {
		name += " · attempt " + s.Attributes["pullrun.attempt"]
	}
	failed := s.Status == "error"
	if failed {
		text = svgError
	}
	middle := y + svgRow/2
	p.f(`<text x="%d" y="%d" fill="%s">%s</text>`, 16+s.depth*svgIndent, middle+4, text, escape(name))

	from := p.x(s.Start)
	width := max(p.x(s.End)-from, 2)
	border := ""
	if failed {
		border = fmt.Sprintf(` stroke="%s" stroke-width="2"`, svgError)
	}
	p.f(`<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s"%s><title>%s</title></rect>`,
		from, middle-svgBar/2, width, svgBar, colour, border, escape(s.Name+" "+lasting(s.End.Sub(s.Start))))
	label := lasting(s.End.Sub(s.Start))
	if failed {
		label += " " + cmp.Or(s.Attributes["error.type"], "error")
	}
	p.label(from, width, middle+4, text, label)
}

// label writes to the right of the bar, or to its left where the picture ends
// before the text would.
func (p *picture) label(from, width float64, y int, colour, text string) {
	x, anchor := from+width+6, "start"
	if x+float64(len(text))*6.2 > svgWidth-10 {
		x, anchor = from-6, "end"
		if from-float64(len(text))*6.2 < svgNames { // the bar is as wide as the picture
			x, colour = from+width-6, "#ffffff"
		}
	}
	p.f(`<text x="%.1f" y="%d" fill="%s" font-size="11" text-anchor="%s">%s</text>`, x, y, colour, anchor, escape(text))
}

func (p *picture) f(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// roundStep is the next larger of 1, 2 and 5 with noughts.
func roundStep(d time.Duration) time.Duration {
	power := math.Pow(10, math.Floor(math.Log10(float64(max(d, 1)))))
	for _, m := range []float64{1, 2, 5} {
		if float64(d) <= m*power {
			return time.Duration(m * power)
		}
	}
	return time.Duration(10 * power)
}

// lasting is a duration as people say it.
func lasting(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < 10*time.Microsecond:
		return d.Round(100 * time.Nanosecond).String()
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
