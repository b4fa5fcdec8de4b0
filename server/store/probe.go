package store

import "slices"

// point notes that the operation does what name says, for Options.Probe. Every
// kind of operation has a name, and so has every event that moves a run.
func (t *tx) point(name string) {
	if t.w.points.probe != nil {
		t.points = append(t.points, name)
	}
}

// points are what one batch does. Without a probe nothing is gathered.
type points struct {
	probe func(point string)
	names []string // each once, in the order of their first
}

func (p *points) reset() { p.names = p.names[:0] }

func (p *points) add(names []string) {
	for _, name := range names {
		if !slices.Contains(p.names, name) {
			p.names = append(p.names, name)
		}
	}
}

// before is called when all is done but the commit, after when it is committed
// and nobody has been told yet.
func (p *points) before() { p.pass(".before") }
func (p *points) after()  { p.pass(".after") }

func (p *points) pass(moment string) {
	for _, name := range p.names {
		p.probe(name + moment)
	}
}
