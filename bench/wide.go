package main

import (
	"bytes"
	"context"
	"fmt"
)

// A wide store is one that a table of runs is measured on: many runs, and many keys of
// which a run has some.
const (
	wideRuns    = 100_000
	wideMetrics = 3500
	wideParams  = 1000
	wideTags    = 500
	wideFamily  = 10 // runs: a parent, and as many children below it as wideChildren
)

const (
	wideChildren = 5
	wideOften    = 10 // metrics and params that each run has
	wideSeldom   = 30 // metrics that a run has of all others, and a third as many params
	wideSteps    = 5  // points of each of the former metrics
)

// seedWide gives the contender's experiment so many runs with 5,000 keys among them.
func (s *contender) seedWide(ctx context.Context, runs int) error {
	return s.seedByClients(ctx, 0, (runs+wideFamily-1)/wideFamily, func(w *wire, family int) error {
		parent := ""
		for n := family * wideFamily; n < min(runs, (family+1)*wideFamily); n++ {
			run, err := s.seedRun(w, n)
			if err != nil {
				return err
			}
			above := ""
			if n%wideFamily == 0 {
				parent = run
			} else if n%wideFamily <= wideChildren {
				above = parent
			}
			if err := w.send(postText(s.url, "runs/log-batch", wideBatch(run, above, n)), nil); err != nil {
				return err
			}
			if n%wideFamily == 0 {
				continue // parents go on
			}
			end := fmt.Appendf(nil, `{"run_id":%q,"status":%q,"end_time":%d}`, run, wideStatus(n),
				1_700_000_000_000+int64(n)*1000+60_000)
			if err := w.send(postText(s.url, "runs/update", end), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func wideStatus(n int) string {
	if n%7 == 0 {
		return "FAILED"
	}
	return "FINISHED"
}

// wideBatch is all that the n-th run logs.
func wideBatch(run, parent string, n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"run_id":%q,"params":[`, run)
	for i := range wideOften + wideSeldom/3 {
		key, value := fmt.Sprintf("p%d", i), fmt.Sprint(n%(i+2))
		if i >= wideOften {
			key = fmt.Sprintf("option-%d", (n*10+i)%(wideParams-wideOften))
		}
		fmt.Fprintf(&b, `{"key":%q,"value":%q}%s`, key, value, comma(i, wideOften+wideSeldom/3))
	}
	b.WriteString(`],"tags":[`)
	for i := range 5 {
		fmt.Fprintf(&b, `{"key":"note-%d","value":"%d"},`, (n*5+i)%wideTags, n%13)
	}
	if parent != "" {
		fmt.Fprintf(&b, `{"key":"mlflow.parentRunId","value":%q},`, parent)
	}
	fmt.Fprintf(&b, `{"key":"team","value":"team-%d"}],"metrics":[`, n%4)
	for i := range wideOften * wideSteps {
		fmt.Fprintf(&b, `{"key":"m%d","value":%v,"timestamp":%d,"step":%d},`, i%wideOften,
			seedValue(n+i%wideOften*13, wideRuns)/float64(1+i/wideOften),
			1_700_000_000_000+n*1000+i, i/wideOften)
	}
	for i := range wideSeldom {
		key := (n*wideSeldom + i) % (wideMetrics - wideOften)
		fmt.Fprintf(&b, `{"key":"group%d/metric-%d","value":%v,"timestamp":%d,"step":0}%s`, key%20, key,
			seedValue(n+key, wideRuns), 1_700_000_000_000+n*1000, comma(i, wideSeldom))
	}
	b.WriteString("]}")
	return b.Bytes()
}
