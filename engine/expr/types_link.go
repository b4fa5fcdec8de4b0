package expr

// linkTypes gives the types their tables.
func linkTypes() {
	typeStr.make = newBuiltin("str", "object? encoding? errors?", makeStr)
	typeStr.methods = strMethods()
	typeStr.statics = map[string]Value{"maketrans": newBuiltin("maketrans", "x y? z? /", strMaketrans)}
	typeBytes.make = newBuiltin("bytes", "source? encoding? errors?", makeBytes)
	typeBytes.methods = bytesMethods()
	typeBytes.statics = map[string]Value{"fromhex": newBuiltin("fromhex", "string /", bytesFromHex)}
	typeInt.make = newBuiltin("int", "x? / base?", makeInt)
	typeInt.methods = intMethods()
	typeInt.getters = map[string]func(Value) Value{
		"real": func(v Value) Value { return v }, "numerator": func(v Value) Value { return v },
		"imag": func(Value) Value { return int64(0) }, "denominator": func(Value) Value { return int64(1) },
	}
	typeInt.statics = map[string]Value{
		"from_bytes": newBuiltin("from_bytes", "bytes byteorder? * signed?", intFromBytes),
	}
	typeBool.make = newBuiltin("bool", "x? /", makeBool)
	typeFloat.make = newBuiltin("float", "x? /", makeFloat)
	typeFloat.methods = floatMethods()
	typeList.make = newBuiltin("list", "iterable? /", makeList)
	typeList.methods = listMethods()
	typeTuple.make = newBuiltin("tuple", "iterable? /", makeTuple)
	typeTuple.methods = tupleMethods()
	typeDict.make = newBuiltin("dict", "iterable? / **kwargs", makeDict)
	typeDict.methods = dictMethods()
	typeDict.statics = map[string]Value{"fromkeys": newBuiltin("fromkeys", "iterable value? /", dictFromKeys)}
	typeSet.make = newBuiltin("set", "iterable? /", makeSet)
	typeSet.methods = setMethods()
	typeRange.make = newBuiltin("range", "start stop? step? /", makeRange)
	typeRange.methods = rangeMethods()
	typeRange.getters = map[string]func(Value) Value{
		"start": func(v Value) Value { return v.(*Range).start },
		"stop":  func(v Value) Value { return v.(*Range).stop },
		"step":  func(v Value) Value { return v.(*Range).step },
	}
	typeType.make = newBuiltin("type", "object /", makeType)
	typeEnumerate.make = newBuiltin("enumerate", "iterable start?", makeEnumerate)
	typeReversed.make = newBuiltin("reversed", "sequence /", makeReversed)
	typeZip.make = newBuiltin("zip", "*iterables * strict?", makeZip)
	typeKeys.methods = table(def("isdisjoint", "other /", viewIsDisjoint))
	typeItems.methods = typeKeys.methods
	typeObject.methods = table(def("get", "key default? /", objectGet))
	typeGenerator.methods = table(def("close", "", generatorClose))
	linkModuleTypes()
}

// allTypes lists the types whose methods programs may name.
func allTypes() []*Type {
	types := []*Type{
		typeStr, typeBytes, typeInt, typeFloat, typeList, typeTuple, typeDict, typeSet, typeRange,
		typeKeys, typeObject, typeGenerator,
	}
	return append(types, moduleTypes()...)
}

func objectGet(_ *eval, a []Value) (Value, error) {
	o, ok := a[0].(*Object)
	if !ok {
		return nil, errNoAttr(a[0], "get")
	}
	if name, ok := a[1].(string); ok {
		if v, ok := o.Get(name); ok {
			return v, nil
		}
	}
	return orNone(a[2]), nil
}

func viewIsDisjoint(ev *eval, a []Value) (Value, error) {
	s, err := a[0].(*dictView).set()
	if err != nil {
		return nil, err
	}
	return setIsDisjoint(ev, []Value{s, a[1]})
}

func generatorClose(_ *eval, a []Value) (Value, error) {
	return nil, a[0].(*Iter).close()
}
