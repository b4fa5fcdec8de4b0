package expr

// allModules gives the modules that can be imported. All are implemented
// here: none reaches files, processes or the network, and the only clock is
// that of the evaluation.
func allModules() map[string]*Module {
	parse := urllibParseModule()
	list := []*Module{
		base64Module(), collectionsModule(), copyModule(), datetimeModule(), functoolsModule(), hashlibModule(),
		htmlModule(), itertoolsModule(), jsonModule(), mathModule(), randomModule(), reModule(), statisticsModule(),
		stringModule(), textwrapModule(), timeModule(), uuidModule(), parse,
		{name: "urllib", names: map[string]Value{"parse": parse}},
	}
	modules := make(map[string]*Module, len(list))
	for _, m := range list {
		modules[m.name] = m
	}
	return modules
}

func linkModuleTypes() {
	linkCollections()
	linkDatetime()
	linkHashlib()
	linkNamed()
	linkRe()
	linkURL()
	linkUUID()
}

// moduleTypes lists the types of modules whose methods programs may name.
func moduleTypes() []*Type {
	return []*Type{
		typeCounter, typeOrderedDict, typeDefaultDict, typeDate, typeTime, typeDatetime, typeDelta, typeZone,
		typeHash, typeNamed, typePattern, typeMatch, typeUUID,
	}
}

// text1 makes a function of text on text.
func text1(name string, f func(string) string) *Builtin {
	return newBuiltin(name, "s", func(ev *eval, a []Value) (Value, error) {
		s, err := argStr(a[0], "")
		if err != nil {
			return nil, err
		}
		if err := ev.grow(2 * len(s)); err != nil {
			return nil, err
		}
		return f(s), nil
	})
}
