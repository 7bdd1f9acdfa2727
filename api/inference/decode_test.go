package inference

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

var two = engine.Signature{Inputs: []engine.Field{{Name: "a", Kind: engine.Double}, {Name: "b", Kind: engine.Double}}}

// call is a request with a JSON header and the binary bytes behind it.
func call(header string, tail ...byte) *http.Request {
	r := httptest.NewRequest("POST", "/v2/models/m/infer", strings.NewReader(header+string(tail)))
	if tail != nil {
		r.Header.Set(headerLength, strconv.Itoa(len(header)))
	}
	return r
}

// parse reads a request as the handler does.
func parse(r *http.Request) (*request, error) {
	body, done, err := make(bodies, 1).read(httptest.NewRecorder(), r)
	defer done()
	if err != nil {
		return nil, err
	}
	return decode(r, body)
}

func frameOf(r *http.Request, sig engine.Signature) (*engine.Frame, error) {
	q, err := parse(r)
	if err != nil {
		return nil, err
	}
	return q.frame(sig)
}

// one is a request with one input.
func one(shape, datatype, data string) string {
	return `{"inputs":[{"name":"a","shape":` + shape + `,"datatype":"` + datatype + `","data":` + data + `}]}`
}

func TestFrame_ReadsEveryDatatype(t *testing.T) {
	nan := math.NaN()
	cases := []struct {
		name   string
		r      *http.Request
		floats []float64
		ints   []int64
		texts  []string
	}{
		{"FP64 with null", call(one("[3]", "FP64", "[1.5, null,-2e3]")), []float64{1.5, nan, -2000}, nil, nil},
		{"nested", call(one("[2,1]", "FP32", "[[1], [2]]")), []float64{1, 2}, nil, nil},
		{"BOOL", call(one("[4]", "BOOL", "[true,false,1,null]")), []float64{1, 0, 1, nan}, nil, nil},
		{"a whole with a fraction", call(one("[2]", "INT32", "[3.0,-4e0]")), []float64{3, -4}, nil, nil},
		{"beyond 2^53", call(one("[3]", "INT64", "[7,null,9007199254740993]")),
			[]float64{7, nan, 1 << 53}, []int64{7, 0, 1<<53 + 1}, nil},
		{"the smallest", call(one("[1]", "INT64", "[-9223372036854775808]")), []float64{math.MinInt64}, []int64{math.MinInt64}, nil},
		{"BYTES", call(one("[2]", "BYTES", `["x\n",null]`)), nil, nil, []string{"x\n", ""}},
		{"nested BYTES", call(one("[2,1]", "BYTES", `[["x"],["y"]]`)), nil, nil, []string{"x", "y"}},
		{"binary FP32", binaryCall("FP32", 2, float32(1.5), float32(nan)), []float64{1.5, nan}, nil, nil},
		{"binary FP64", binaryCall("FP64", 1, 0.1), []float64{0.1}, nil, nil},
		{"binary INT64", binaryCall("INT64", 2, int64(1<<53+1), int64(-1)), []float64{1 << 53, -1}, []int64{1<<53 + 1, -1}, nil},
		{"binary UINT64", binaryCall("UINT64", 1, uint64(5)), []float64{5}, nil, nil},
		{"binary INT8", binaryCall("INT8", 2, int8(-1), int8(7)), []float64{-1, 7}, nil, nil},
		{"binary UINT16", binaryCall("UINT16", 1, uint16(65535)), []float64{65535}, nil, nil},
		{"binary BOOL", binaryCall("BOOL", 2, true, false), []float64{1, 0}, nil, nil},
		{"binary FP16", binaryCall("FP16", 4, uint16(0x3e00), uint16(0xc000), uint16(0x0001), uint16(0x7e00)),
			[]float64{1.5, -2, math.Ldexp(1, -24), nan}, nil, nil},
		{"binary BYTES", binaryCall("BYTES", 2, uint32(3), []byte("abc"), uint32(0)), nil, nil, []string{"abc", ""}},
	}
	for _, c := range cases {
		f, err := frameOf(c.r, two)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := f.Columns[0]
		same := len(got.Floats) == len(c.floats)
		for i := range c.floats {
			same = same && (got.Floats[i] == c.floats[i] || math.IsNaN(got.Floats[i]) && math.IsNaN(c.floats[i]))
		}
		if !same || !reflect.DeepEqual(got.Ints, c.ints) || !reflect.DeepEqual(got.Strings, c.texts) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// binaryCall is a request whose one input is binary.
func binaryCall(datatype string, n int, values ...any) *http.Request {
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return call(`{"inputs":[{"name":"a","shape":[`+strconv.Itoa(n)+`],"datatype":"`+datatype+
		`","parameters":{"binary_data_size":`+strconv.Itoa(b.Len())+`}}]}`, b.Bytes()...)
}

func TestFrame_TakesAMatrixAsTheModelsColumns(t *testing.T) {
	tensor := engine.Signature{Inputs: []engine.Field{{Name: "x0", Kind: engine.Double}}, Tensor: "input"}
	cases := []struct {
		name string
		body string
		sig  engine.Signature
		want map[string][]float64
	}{
		{"nested", one("[2,2]", "FP64", "[[1,2],[3,4]]"), two, map[string][]float64{"a": {1, 3}, "b": {2, 4}}},
		{"flat", one("[2,2]", "FP64", "[1,2,3,4]"), two, map[string][]float64{"a": {1, 3}, "b": {2, 4}}},
		{"of one column, by the tensor's name", strings.Replace(one("[2,1]", "FP64", "[1,2]"), `"a"`, `"input"`, 1), tensor,
			map[string][]float64{"x0": {1, 2}}},
	}
	for _, c := range cases {
		f, err := frameOf(call(c.body), c.sig)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := map[string][]float64{}
		for _, col := range f.Columns {
			got[col.Name] = col.Floats
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	f, err := frameOf(call(one("[1,2]", "INT64", "[1,9007199254740993]")), two)
	if err != nil || f.Columns[1].Ints[0] != 1<<53+1 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestFrame_RefusesWhatBreaksTheProtocol(t *testing.T) {
	gz := func(b string) *http.Request {
		r := call(b)
		r.Header.Set("Content-Encoding", "gzip")
		return r
	}
	wrongLength := call(one("[1]", "FP64", "[1]"))
	wrongLength.Header.Set(headerLength, "99999")
	cases := map[string]*http.Request{
		"no JSON":            call("garbage"),
		"no inputs":          call(`{}`),
		"inputs that are no": call(`{"inputs":7}`),
		"shape":              call(one("[2]", "FP64", "[1]")),
		"negative shape":     call(one("[-1]", "FP64", "[1]")),
		"huge shape":         call(one("[9000000000000000000,9000000000000000000]", "FP64", "[1]")),
		"empty shape":        call(one("[]", "FP64", "[1]")),
		"no shape":           call(one("[]", "FP64", "1")),
		"rank 3":             call(one("[1,1,1]", "FP64", "[1]")),
		"datatype":           call(one("[1]", "FP8", "[1]")),
		"text for a number":  call(one("[1]", "FP64", `["1"]`)),
		"object":             call(one("[1]", "FP64", `{"a":1}`)),
		"scalar":             call(one("[1]", "FP64", `1`)),
		"a number for text":  call(one("[1]", "BYTES", `[1]`)),
		"fraction":           call(one("[1]", "INT32", `[1.5]`)),
		"beyond INT8":        call(one("[1]", "INT8", `[128]`)),
		"negative UINT8":     call(one("[1]", "UINT8", `[-1]`)),
		"beyond INT64":       call(one("[1]", "INT64", `[9223372036854775808]`)),
		"beyond FP64":        call(one("[1]", "FP64", `[1e999]`)),
		"boolean for FP64":   call(one("[1]", "FP64", `[true]`)),
		"2 for BOOL":         call(one("[1]", "BOOL", `[2]`)),
		"matrix of 3":        call(one("[1,3]", "FP64", `[1,2,3]`)),
		"matrix of text":     call(one("[1,2]", "BYTES", `["x","y"]`)),
		"binary size": call(`{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":1e300}}]}`,
			1, 2, 3, 4, 5, 6, 7, 8),
		"negative size": call(`{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":-8}}]}`, 1),
		"half a value": call(`{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":4}}]}`,
			1, 2, 3, 4),
		"left over":     call(one("[1]", "FP64", "[1]"), 1, 2, 3),
		"BYTES cut":     binaryCall("BYTES", 1, uint32(9), []byte("abc")),
		"BOOL of 7":     binaryCall("BOOL", 1, uint8(7)),
		"UINT64 large":  binaryCall("UINT64", 1, uint64(1<<63)),
		"header length": wrongLength,
		"not gzip":      gz(one("[1]", "FP64", "[1]")),
	}
	for name, r := range cases {
		if f, err := frameOf(r, two); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func TestDecode_SaysWhatIsWrongInTheProtocolsWords(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:                           "the request must be an object, not array",
		`{"id":7}`:                     "id must be a string, not number",
		`{"inputs":7}`:                 "inputs must be an array, not number",
		`{"inputs":[7]}`:               "inputs must be an object, not number",
		`{"inputs":[{"name":["a"]}]}`:  "inputs.name must be a string, not array",
		`{"inputs":[{"shape":"1"}]}`:   `inputs.shape must be [rows] or [rows, 1], not "1"`,
		`{"inputs":[{"shape":[1.5]}]}`: "inputs.shape must be [rows] or [rows, 1], not [1.5]",
		`{"parameters":7,"inputs":[]}`: "parameters must be an object, not number",
		`{"parameters":{"binary_data_output":"y"}}`: "parameters.binary_data_output must be true or false, not string",
		`{"parameters":{"routing_key":5}}`:          "parameters.routing_key must be a string, not number",
		`{"inputs":[{"name":"a"}`:                   "not the JSON of an inference request: unexpected end",
	} {
		_, err := parse(call(body))
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDecode_RefusesBeforeItReads(t *testing.T) {
	values := "[" + strings.Repeat("1,", 1<<20) + "1]"
	texts := "[" + strings.Repeat(`"",`, 1<<20) + `""]`
	cases := map[string]struct {
		body, want string
	}{
		"rows":          {one("[1048577]", "FP64", values), "1048577 rows; send at most 10000"},
		"rows of text":  {one("[1048577]", "BYTES", texts), "1048577 rows; send at most 10000"},
		"values":        {one("[3]", "FP64", values), "has more values, and its shape [3] says 3"},
		"values, text":  {one("[3]", "BYTES", texts), "has more values, and its shape [3] says 3"},
		"a long shape":  {one(values, "FP64", "[1]"), "inputs.shape must be [rows] or [rows, 1]"},
		"empty inputs":  {`{"inputs":[` + strings.Repeat("{},", 1<<20) + `{}]}`, "more than 20000 inputs"},
		"empty outputs": {`{"outputs":[` + strings.Repeat("{},", 1<<20) + `{}]}`, "more than 20000 inputs"},
		"inputs": {`{"inputs":[` + strings.Repeat(`{"name":"a,[\"{","shape":[1],"datatype":"FP64","data":[1]},`, 1500) +
			one("[1]", "FP64", "[1]")[len(`{"inputs":[`):], "1501 inputs, and the model takes 2; send at most 1002"},
	}
	for name, c := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := frameOf(call(c.body), two)
		runtime.ReadMemStats(&after)
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		// The text itself, grown and copied, is all that may take memory.
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*len(c.body)+1<<20); got > most {
			t.Errorf("%s: %d bytes of text took %d of memory", name, len(c.body), got)
		}
	}
}

func TestBodies_LetFewLargeOnesInAtATime(t *testing.T) {
	in := make(bodies, 1)
	large := one("[1]", "FP64", "[1]") + strings.Repeat(" ", smallBody)
	_, done, err := in.read(httptest.NewRecorder(), call(large))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, second, err := in.read(httptest.NewRecorder(), call(large).WithContext(ctx))
	second()
	if !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("a second one: %v", err)
	}
	if _, _, err := in.read(httptest.NewRecorder(), call(one("[1]", "FP64", "[1]"))); err != nil {
		t.Errorf("a small one: %v", err)
	}
	done()
	if _, _, err := in.read(httptest.NewRecorder(), call(large)); err != nil {
		t.Errorf("the second one, after the first: %v", err)
	}
}

func TestDecode_ReadsCompressedBodiesWithinTheBound(t *testing.T) {
	body := one("[1]", "FP64", "[1]")
	bomb := body + strings.Repeat(" ", maxBody)
	for name, w := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	} {
		for text, ok := range map[string]bool{body: true, bomb: false} {
			var b bytes.Buffer
			z := w(&b)
			io.WriteString(z, text)
			z.Close()
			r := httptest.NewRequest("POST", "/", &b)
			r.Header.Set("Content-Encoding", name)
			if _, err := parse(r); ok != (err == nil) || err != nil && !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("%s of %d bytes: %v", name, len(text), err)
			}
		}
	}
}

func TestMetadata_OfATensorModelIsItsTensor(t *testing.T) {
	sig := engine.Signature{Inputs: two.Inputs, Tensor: "input"}
	if got, want := inputTensors(sig), []tensorMetadata{{"input", "FP64", []int64{-1, 2}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got, want := inputTensors(two), []tensorMetadata{{"a", "FP64", []int64{-1}}, {"b", "FP64", []int64{-1}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestEventTime_IsATimeOrRefused(t *testing.T) {
	want := time.Date(2011, 3, 1, 5, 0, 0, 0, time.UTC)
	for text, ok := range map[string]bool{
		`"2011-03-01T05:00:00Z"`: true, `"2011-03-01T06:00:00+01:00"`: true, "1298955600000": true,
		`"yesterday"`: false, "1e300": false, "-5": false, "0": false, "true": false, `[1]`: false,
	} {
		q, err := parse(call(`{"parameters":{"event_time":` + text + `},` + one("[1]", "FP64", "[1]")[1:]))
		if err != nil {
			t.Fatal(err)
		}
		at, err := q.eventTime()
		if ok && !at.Equal(want) || !ok && !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v, %v", text, at, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(one("[2,1]", "FP64", "[[1],[null]]")), "")
	f.Add([]byte(one("[1]", "BYTES", `["x"]`)), "")
	f.Add([]byte(one("[1,2]", "INT64", `[1,9007199254740993]`)), "")
	f.Add([]byte(`{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}]}12345678`), "89")
	f.Fuzz(func(t *testing.T, body []byte, length string) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		if length != "" {
			r.Header.Set(headerLength, length)
		}
		q, err := parse(r)
		if err == nil {
			_, err = q.eventTime()
		}
		if err == nil {
			var fr *engine.Frame
			if fr, err = q.frame(two); err == nil {
				for _, c := range fr.Columns[:1] {
					if c.Len() != fr.Rows || c.Ints != nil && len(c.Ints) != fr.Rows {
						t.Errorf("%q gives a column of %d and %d in %d rows", body, c.Len(), len(c.Ints), fr.Rows)
					}
				}
			}
		}
		if err != nil && !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: %v", body, err)
		}
	})
}
