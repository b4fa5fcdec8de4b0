package store

// Pipeline is a pipeline that a worker has.
type Pipeline struct {
	Name   string
	Digest string // empty if the worker does not say
}

// Catalog holds the digests of a worker's pipelines, by name. Nil is of a worker
// that takes any pipeline and says nothing of digests.
type Catalog map[string]string

// CatalogOf is the catalog of a list, which may be nil.
func CatalogOf(list []Pipeline) Catalog {
	if list == nil {
		return nil
	}
	c := make(Catalog, len(list))
	for _, p := range list {
		c[p.Name] = p.Digest
	}
	return c
}

// Has reports whether the worker has a pipeline, and with a digest unless that is
// empty.
func (c Catalog) Has(pipeline, digest string) bool {
	held, listed := c[pipeline]
	return (listed || c == nil) && (digest == "" || digest == held)
}
