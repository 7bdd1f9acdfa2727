package spec

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// text decodes a scalar into a type that reads its own text.
func (d *decoder) text(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	d.place(node, path)
	var text string
	switch n := node.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		text = n.GetToken().Value
	default:
		d.problem(path, "this must be one value, not "+kindOf(node), hintFor(v))
		return
	}
	err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		d.problem(path, syntax.message, syntax.hint)
	} else if err != nil {
		d.problem(path, err.Error(), "")
	} else if length, ok := v.Interface().(Duration); ok && length.Duration == 0 &&
		tag.Get("zero") != "ok" {
		d.rule(path, "a duration of nothing makes no sense here", "write more than 0s")
	}
}

// hintFor returns what a type says to an empty text.
func hintFor(v reflect.Value) string {
	var syntax *syntaxError
	target := reflect.New(v.Type()).Interface().(encoding.TextUnmarshaler)
	if errors.As(target.UnmarshalText(nil), &syntax) {
		return syntax.hint
	}
	return ""
}

// scalar decodes texts, numbers and booleans, and checks what the tags say.
func (d *decoder) scalar(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	d.place(node, path)
	switch v.Kind() {
	case reflect.String:
		d.stringValue(node, v, tag, path)
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		d.problem(path, "this must be true or false, not "+kindOf(node), "write true or false")
	case reflect.Int, reflect.Int64:
		if n, ok := wholeNumber(node); ok {
			v.SetInt(n)
			d.checkBounds(float64(n), tag, path)
			return
		}
		d.problem(path, "this must be a whole number, not "+show(node), "write digits only")
	case reflect.Float64:
		d.floatValue(node, v, tag, path)
	}
}

func (d *decoder) stringValue(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	text, ok := textOf(node, tag.Get("number") == "text")
	if !ok {
		hint := "write a text"
		if s, ok := node.(ast.ScalarNode); ok {
			hint = fmt.Sprintf("put it in quotes: %q", s.GetToken().Value)
		}
		d.problem(path, "this must be a text, not "+kindOf(node), hint)
		return
	}
	if strings.ContainsRune(text, 0) {
		d.problem(path, "the text has a NUL character", "remove it")
		return
	}
	v.SetString(text)
	if values := enumValues(tag.Get("enum")); values != nil {
		d.checkEnum(text, values, path)
		return
	}
	if message, hint := misfit(tag.Get("form"), text); message != "" {
		d.rule(path, message, hint)
	}
}

// textOf returns the text of a node; numbers count when they may stand for it.
func textOf(node ast.Node, numbers bool) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, numbers
	}
	return "", false
}

func (d *decoder) checkEnum(text string, values []string, path string) {
	for _, v := range values {
		if v == text {
			return
		}
	}
	hint := didYouMean(text, "values", values)
	if len(values) > 1 && strings.HasPrefix(hint, "did") {
		hint += " The values are " + strings.Join(values, ", ")
	}
	d.rule(path, fmt.Sprintf("%q is not one of the values allowed", text), hint)
}

func wholeNumber(node ast.Node) (int64, bool) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	switch value := n.Value.(type) {
	case int64:
		return value, true
	case uint64:
		return int64(value), value <= math.MaxInt64
	}
	return 0, false
}

func (d *decoder) floatValue(node ast.Node, v reflect.Value, tag reflect.StructTag, path string) {
	var value float64
	switch unit := tag.Get("unit"); unit {
	case "":
		f, ok := number(node)
		if !ok {
			d.problem(path, "this must be a number, not "+show(node), "write a number such as 0.5")
			return
		}
		value = f
	default:
		percent, ok := parsePercent(node.GetToken().Value)
		if _, text := node.(*ast.StringNode); !ok || !text {
			d.problem(path, "this must be a percentage, not "+show(node), "write it with %, as in 10%")
			return
		}
		value = percent
		if unit == "fraction" {
			value /= 100
		}
	}
	v.SetFloat(value)
	d.checkBounds(value, tag, path)
}

// number returns the finite value of a number's node.
func number(node ast.Node) (float64, bool) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		switch value := n.Value.(type) {
		case int64:
			return float64(value), true
		case uint64:
			return float64(value), true
		}
	case *ast.FloatNode:
		return n.Value, !math.IsInf(n.Value, 0) && !math.IsNaN(n.Value)
	case *ast.StringNode:
		if n.Token.Type != token.StringType || !exponentForm.MatchString(n.Value) {
			return 0, false
		}
		f, err := strconv.ParseFloat(n.Value, 64)
		return f, err == nil
	}
	return 0, false
}

// exponentForm are the numbers of YAML 1.2 that the parser takes for texts.
var exponentForm = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)

func (d *decoder) checkBounds(value float64, tag reflect.StructTag, path string) {
	if low, ok := bound(tag, "min"); ok && value < low {
		d.rule(path, fmt.Sprintf("%s is too small", formatNumber(value)),
			"the least value is "+formatNumber(low))
	}
	if low, ok := bound(tag, "above"); ok && value <= low {
		d.rule(path, fmt.Sprintf("%s is too small", formatNumber(value)),
			"it must be above "+formatNumber(low))
	}
	if high, ok := bound(tag, "max"); ok && value > high {
		d.rule(path, fmt.Sprintf("%s is too great", formatNumber(value)),
			"the greatest value is "+formatNumber(high))
	}
}

func bound(tag reflect.StructTag, name string) (float64, bool) {
	v, err := strconv.ParseFloat(tag.Get(name), 64)
	return v, err == nil
}

// show returns a scalar as the file writes it, or its kind.
func show(node ast.Node) string {
	if _, ok := node.(ast.ScalarNode); ok {
		if text := node.GetToken().Value; text != "" && len(text) <= 40 {
			return fmt.Sprintf("%q", text)
		}
	}
	return kindOf(node)
}

// free decodes any value as JSON would hold it: nil, bool, int64, Float, string,
// []any or map[string]any.
func (d *decoder) free(node ast.Node, v reflect.Value, path string) {
	d.place(node, path)
	if value := d.anyValue(node, path); value != nil {
		v.Set(reflect.ValueOf(value))
	}
}

func (d *decoder) anyValue(node ast.Node, path string) any {
	switch n := node.(type) {
	case *ast.StringNode:
		if f, ok := number(n); ok {
			return Float(f)
		}
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.BoolNode:
		return n.Value
	case *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, item := range n.Values {
			list[i] = d.anyValue(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return list
	case ast.MapNode:
		pairs, _ := d.pairs(node, path)
		values := make(map[string]any, len(pairs))
		for _, p := range pairs {
			values[p.key] = d.anyValue(p.value, p.path)
		}
		return values
	}
	if n, ok := wholeNumber(node); ok {
		return n
	}
	if f, ok := number(node); ok {
		return Float(f)
	}
	d.problem(path, "this is not a number that can be used", "write a finite number, or quote it")
	return nil
}

// setDefaults gives an absent field its default: its own, or those of its fields.
func setDefaults(v reflect.Value, tag reflect.StructTag) {
	if text, ok := tag.Lookup("default"); ok {
		setText(v, text)
		return
	}
	if v.Kind() == reflect.Struct && !v.Addr().Type().Implements(textType) {
		for _, f := range reflect.VisibleFields(v.Type()) {
			if fileKey(f) != "" {
				setDefaults(v.FieldByIndex(f.Index), f.Tag)
			}
		}
	}
}

// setText sets a field from the text of a default tag, which the tests check.
func setText(v reflect.Value, text string) {
	if v.Addr().Type().Implements(textType) {
		mustDefault(v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setText(v.Elem(), text)
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		mustDefault(err)
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		mustDefault(err)
		v.SetFloat(f)
	}
}

func mustDefault(err error) {
	if err != nil {
		panic("spec: a default tag is wrong: " + err.Error())
	}
}
