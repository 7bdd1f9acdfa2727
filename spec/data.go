package spec

// FromRequests is the value of Data.From for what an environment's endpoint was
// asked, instead of files.
const FromRequests = "requests"

// NamedData is one entry of `data`.
type NamedData struct {
	// Name is the data's name, the key in the file.
	Name string `json:"name" file:"-"`
	Data
}

// Data is one source: files of the repository, or what production saw.
type Data struct {
	// From is a file or glob relative to the repository (CSV or Parquet; `**` stands
	// for any directories), or `requests` for what an environment's endpoint was asked.
	From string `json:"from" required:"true" form:"glob"`
	// Time is the column with the time of a row (files only).
	Time string `json:"time,omitempty" form:"text"`
	// Key is the column that identifies a row (files only).
	Key string `json:"key,omitempty" form:"text"`
	// Label is the column with the truth (files only).
	Label string `json:"label,omitempty" form:"text"`
	// Environment is the environment whose requests are meant; without it the
	// last one of the release (`from: requests` only).
	Environment string `json:"environment,omitempty" form:"name"`
	// Labelled keeps only the requests whose ground truth is known, and adds it
	// (`from: requests` only).
	Labelled bool `json:"labelled,omitempty"`
	// Last keeps only the newest part, back from the newest row of a file or
	// from the endpoint's watermark; files need `time` for it.
	Last Duration `json:"last,omitzero" clock:"stream"`
	// Expect says what the columns must be like; a dataset version that breaks
	// it is refused.
	Expect []Expectation `json:"expect,omitempty" keys:"text"`
}

// Expectation is what one column must be like.
type Expectation struct {
	// Column is the column's name, the key in the file.
	Column string `json:"column" file:"-"`
	// Type is the type that its values must have.
	Type string `json:"type,omitempty" enum:"number|integer|text|boolean|time"`
	// Required says whether the column must be there with a value in each row;
	// false declares that it may be missing.
	Required bool `json:"required" default:"true"`
	// Min is the least value allowed.
	Min *float64 `json:"min,omitempty"`
	// Max is the greatest value allowed.
	Max *float64 `json:"max,omitempty"`
	// Values lists the only values allowed.
	Values []any `json:"values,omitempty"`
}

// Holdout is the part of the data that is kept from the pipeline.
type Holdout struct {
	// By is how it is chosen: the newest rows by time.
	By string `json:"by" required:"true" enum:"time"`
	// Last is how much is kept, back from the newest row.
	Last Duration `json:"last" required:"true" clock:"stream"`
}

func (d *NamedData) setKey(key string)   { d.Name = key }
func (e *Expectation) setKey(key string) { e.Column = key }
