package expr

// An Object is a record that cannot change, such as the response of a chip.
// Scripts read its fields as attributes or subscripts, and with get. It
// prints as its fields: `status=200 text='ok'`.
type Object struct {
	typeName string
	fields   []Field
}

// A Field is one named value of an [Object].
type Field struct {
	Name  string
	Value Value
}

// NewObject makes a record of the fields, whose slice it takes over.
func NewObject(typeName string, fields []Field) *Object {
	return &Object{typeName: typeName, fields: fields}
}

// Fields gives the fields in order; they must not be changed.
func (o *Object) Fields() []Field { return o.fields }

// Get gives the value of a field.
func (o *Object) Get(name string) (Value, bool) {
	for i := range o.fields {
		if o.fields[i].Name == name {
			return o.fields[i].Value, true
		}
	}
	return nil, false
}

func (o *Object) class() *Type                   { return typeObject }
func (o *Object) truth() bool                    { return true }
func (o *Object) attr(name string) (Value, bool) { return o.Get(name) }

func (o *Object) item(_ *eval, key Value) (Value, error) {
	if s, ok := key.(string); ok {
		if v, ok := o.Get(s); ok {
			return v, nil
		}
	}
	return nil, raiseKeyError(key)
}

func (o *Object) contains(_ *eval, item Value) (bool, error) {
	s, ok := item.(string)
	if ok {
		_, ok = o.Get(s)
	}
	return ok, nil
}

func (o *Object) equal(w *walk, other Value) (bool, error) {
	p, ok := other.(*Object)
	if !ok || o.typeName != p.typeName || len(o.fields) != len(p.fields) {
		return false, nil
	}
	for i, f := range o.fields {
		if f.Name != p.fields[i].Name {
			return false, nil
		}
		if eq, err := w.equal(f.Value, p.fields[i].Value); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

func (o *Object) str(p *printer) error { return o.print(p, " ") }

func (o *Object) repr(p *printer) error {
	if err := p.text(o.typeName + "("); err != nil {
		return err
	}
	if err := o.print(p, ", "); err != nil {
		return err
	}
	return p.text(")")
}

func (o *Object) print(p *printer, between string) error {
	for i, f := range o.fields {
		if i > 0 {
			if err := p.text(between); err != nil {
				return err
			}
		}
		if err := p.text(f.Name + "="); err != nil {
			return err
		}
		if err := p.repr(f.Value); err != nil {
			return err
		}
	}
	return nil
}
