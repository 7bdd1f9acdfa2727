package spec

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills a Spec from nodes, guided by the types and their tags, and
// remembers where each path stands so that the checks can point at it.
type decoder struct {
	stored   bool // the file was accepted before: its rules are not looked at again
	problems []Problem
	keys     map[string]position // of the key that a path ends with
	values   map[string]position // of the value at a path
}

func newDecoder(stored bool) *decoder {
	return &decoder{stored: stored, keys: map[string]position{}, values: map[string]position{}}
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	path  string
	value ast.Node
}

// keyed is an element of a list that the file writes as a mapping.
type keyed interface{ setKey(key string) }

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// value decodes any node into v.
func (d *decoder) value(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	if _, null := node.(*ast.NullNode); null && v.Kind() != reflect.Interface {
		d.problem(path, "there is no value", "give it a value, or remove the key")
		return
	}
	switch {
	case v.Addr().Type().Implements(textType):
		d.text(node, v, tag, path)
	case v.Kind() == reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		d.value(node, target.Elem(), tag, path)
		v.Set(target)
	case v.Kind() == reflect.Struct:
		d.structure(node, v, path)
	case v.Kind() == reflect.Slice && tag.Get("keys") != "":
		d.keyedList(node, v, tag, path)
	case v.Kind() == reflect.Slice:
		d.list(node, v, tag, path)
	case v.Kind() == reflect.Map:
		d.dictionary(node, v, tag, path)
	case v.Kind() == reflect.Interface:
		d.free(node, v, path)
	default:
		d.scalar(node, v, tag, path)
	}
}

// structure decodes a mapping into a struct, and reports unknown and missing keys.
func (d *decoder) structure(node ast.Node, v reflect.Value, path string) {
	pairs, ok := d.pairs(node, path)
	if !ok {
		return
	}
	fields := fieldsOf(v.Type())
	given := map[string]bool{}
	for _, p := range pairs {
		f, ok := fields[p.key]
		if !ok {
			given[d.unknownKey(v.Type(), p)] = true
			continue
		}
		given[p.key] = true
		d.value(p.value, v.FieldByIndex(f.Index), f.Tag, p.path)
		if order := f.Tag.Get("order"); order != "" {
			names := d.namesIn(p.value)
			v.FieldByName(order).Set(reflect.ValueOf(names))
		}
	}
	for _, key := range keysOf(v.Type()) {
		if f := fields[key]; !given[key] && f.Tag.Get("required") != "" && !d.stored {
			d.problem(path, fmt.Sprintf("`%s` is missing", key), "add `"+key+": …`")
		} else if !given[key] {
			setDefaults(v.FieldByIndex(f.Index), f.Tag)
		}
	}
}

// unknownKey reports a key, and returns the one that it is taken for, "" for none.
func (d *decoder) unknownKey(t reflect.Type, p pair) string {
	message := fmt.Sprintf("the key `%s` is not known here", p.key)
	d.problemAtKey(p.path, message, didYouMean(p.key, "keys", keysOf(t)))
	meant, _ := nearest(p.key, keysOf(t))
	return meant
}

// keyedList decodes a mapping into a list whose elements take the keys.
func (d *decoder) keyedList(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	pairs, ok := d.pairs(node, path)
	if !ok {
		return
	}
	for _, p := range pairs {
		element := reflect.New(v.Type().Elem())
		d.checkKey(p, tag)
		element.Interface().(keyed).setKey(p.key)
		if body, ok := bodyField(element.Elem()); ok {
			d.value(p.value, body, "", p.path)
		} else {
			d.value(p.value, element.Elem(), "", p.path)
		}
		v.Set(reflect.Append(v, element.Elem()))
	}
}

// checkKey reports a key that has not the form that the mapping's tag names.
func (d *decoder) checkKey(p pair, tag reflect.StructTag) {
	if message, hint := misfit(tag.Get("keys"), p.key); message != "" && !d.stored {
		d.problemAtKey(p.path, message, hint)
	}
}

// bodyField returns the field that holds an element's whole value.
func bodyField(v reflect.Value) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("file") == "value" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// dictionary decodes a mapping into a map.
func (d *decoder) dictionary(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	pairs, ok := d.pairs(node, path)
	if !ok {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(pairs)))
	for _, p := range pairs {
		d.checkKey(p, tag)
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(p.value, element, tag, p.path)
		v.SetMapIndex(reflect.ValueOf(p.key), element)
	}
}

// list decodes a sequence.
func (d *decoder) list(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	d.place(node, path)
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		hint := "write a list, such as [a, b]"
		if scalar, ok := node.(ast.ScalarNode); ok {
			hint = "write a list: [" + scalar.GetToken().Value + "]"
		}
		d.problem(path, "this must be a list, not "+kindOf(node), hint)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, item := range sequence.Values {
		d.value(item, out.Index(i), tag, fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

// pairs returns the entries of a mapping without duplicates, with their places.
func (d *decoder) pairs(node ast.Node, path string) ([]pair, bool) {
	d.place(node, path)
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.problem(path, "this must be keys with values, not "+kindOf(node), "write `key: value`")
		return nil, false
	}
	var pairs []pair
	seen := map[string]position{}
	for it := mapping.MapRange(); it.Next(); {
		tk := it.Key().GetToken()
		p := pair{key: tk.Value, path: join(path, tk.Value), value: it.Value()}
		where := at(tk)
		if first, ok := seen[p.key]; ok {
			where.Path, where.Hint = p.path, "keep one of the two"
			where.Message = fmt.Sprintf("the key `%s` is given twice, first in line %d",
				p.key, first.line)
			d.problems = append(d.problems, where)
			continue
		}
		seen[p.key] = position{where.Line, where.Column}
		d.keys[p.path] = seen[p.key]
		pairs = append(pairs, p)
	}
	return pairs, true
}

// namesIn returns the keys of a mapping in the order of the file.
func (d *decoder) namesIn(node ast.Node) []string {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	for it := mapping.MapRange(); it.Next(); {
		name := it.Key().GetToken().Value
		if !seen[name] {
			names = append(names, name)
		}
		seen[name] = true
	}
	return names
}

// place remembers where the value at a path begins: a mapping at the key that it
// belongs to, the file's own mapping at its first key.
func (d *decoder) place(node ast.Node, path string) {
	tk := node.GetToken()
	if mapping, ok := node.(ast.MapNode); ok {
		if key, ok := d.keys[path]; ok {
			d.values[path] = key
			return
		}
		if it := mapping.MapRange(); path == "" && it.Next() {
			tk = it.Key().GetToken()
		}
	}
	p := at(tk)
	d.values[path] = position{p.Line, p.Column}
}

// given reports whether the file has the path.
func (d *decoder) given(path string) bool {
	_, ok := d.keys[path]
	return ok
}

// rule reports a value that can be read and is not allowed.
func (d *decoder) rule(path, message, hint string) {
	if !d.stored {
		d.problem(path, message, hint)
	}
}

// problem reports at the value of a path, or at the nearest one above it.
func (d *decoder) problem(path, message, hint string) {
	d.add(d.find(d.values, path), path, message, hint)
}

// problemAtKey reports at the key that a path ends with.
func (d *decoder) problemAtKey(path, message, hint string) {
	d.add(d.find(d.keys, path), path, message, hint)
}

func (d *decoder) add(p position, path, message, hint string) {
	d.problems = append(d.problems, Problem{
		Line: p.line, Column: p.column, Path: path, Message: message, Hint: hint})
}

func (d *decoder) find(places map[string]position, path string) position {
	for {
		if p, ok := places[path]; ok {
			return p
		}
		if p, ok := d.keys[path]; ok {
			return p
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return position{1, 1}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindOf(node ast.Node) string {
	switch node.(type) {
	case ast.MapNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	}
	return "a number"
}

// fieldsOf returns the fields that a mapping may set, by key.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if key := fileKey(f); key != "" {
			fields[key] = f
		}
	}
	return fields
}

// keysOf returns the keys of a mapping in the order of the type.
func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		if key := fileKey(f); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fileKey returns the key that sets a field, "" if none does.
func fileKey(f reflect.StructField) string {
	if f.Anonymous || !f.IsExported() || f.Tag.Get("file") != "" {
		return ""
	}
	key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if key == "-" {
		return ""
	}
	return key
}
