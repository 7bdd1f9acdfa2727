package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/examples"
)

// The source of the demo's data: one year of a bike-sharing system by the hour
// (Fanaee-T and Gama 2013), as a Python package carries it.
const (
	dataPackage = "ISLP==0.6.0"
	dataPath    = "ISLP/data/Bikeshare.csv"
)

// The year of the data is 2011, in UTC. Training begins with what is known before
// firstMonth; the rest is traffic.
const (
	dataYear   = 2011
	firstMonth = time.March
	allMonths  = 10
)

// trafficFrom and trafficTo bound the hours that are replayed.
var trafficFrom = time.Date(dataYear, firstMonth, 1, 0, 0, 0, 0, time.UTC)

func (d *demo) trafficTo() time.Time { return trafficFrom.AddDate(0, d.Months, 0) }

// prepareProject makes the repository and the traffic, unless a run before did.
func (d *demo) prepareProject(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(d.repository(), ".git", "HEAD")); err == nil {
		if _, err := os.Stat(d.traffic()); err == nil {
			d.say.line("the repository is there already: %s", d.repository())
			return nil
		}
	}
	if err := os.RemoveAll(d.repository()); err != nil {
		return err
	}
	project, err := fs.Sub(examples.FS, demoProject)
	if err != nil {
		return err
	}
	if err := os.CopyFS(d.repository(), project); err != nil {
		return err
	}
	hours, err := d.hours(ctx)
	if err != nil {
		return err
	}
	split := slices.IndexFunc(hours, func(h hour) bool { return !h.at.Before(trafficFrom) })
	if d.Seed != 0 {
		permuteMonths(hours[split:], trafficFrom, d.Seed)
	}
	end := slices.IndexFunc(hours, func(h hour) bool { return !h.at.Before(d.trafficTo()) })
	if end < 0 {
		end = len(hours)
	}
	if err := writeHours(filepath.Join(d.repository(), "data", "history.csv"),
		hours[:split]); err != nil {
		return err
	}
	if err := gitInit(ctx, d.repository()); err != nil {
		return err
	}
	d.say.line("the repository is %s, with %d hours of January and February", d.repository(), split)
	return writeHours(d.traffic(), hours[split:end])
}

// gitInit commits everything, whatever the user's own settings say: files that are
// ignored everywhere, hooks, signatures and line ends are not the demo's.
func gitInit(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"init", "-q", "-b", "main", "--template="},
		{"config", "core.autocrlf", "false"}, // also of the `git archive` that uploads it
		{"add", "-A", "-f", "."},
		{"-c", "user.name=demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false",
			"-c", "core.hooksPath=/dev/null", "commit", "-q", "-m",
			"hourly riders: data, pipeline, gates, release"},
	} {
		if _, err := git(ctx, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// hour is one row of the data as the project's table has it.
type hour struct {
	at    time.Time
	cells []string // of featureColumns, then casual, registered, bikers
}

var (
	featureColumns = []string{"hr", "holiday", "weekday", "workingday", "weathersit", "temp", "atemp",
		"hum", "windspeed"}
	countColumns = []string{"casual", "registered", "bikers"}
	weatherCodes = map[string]string{"clear": "1", "cloudy/misty": "2", "light rain/snow": "3",
		"heavy rain/snow": "4"}
)

// hours reads the source table, in order of time.
func (d *demo) hours(ctx context.Context) ([]hour, error) {
	path, err := findData(ctx, d.say)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table := csv.NewReader(f)
	header, err := table.Read()
	if err != nil {
		return nil, err
	}
	var out []hour
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		h, err := newHour(header, record)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b hour) int { return a.at.Compare(b.at) })
	return out, nil
}

func newHour(header, record []string) (h hour, err error) {
	get := func(name string) string {
		if i := slices.Index(header, name); i >= 0 {
			return record[i]
		}
		err = errors.Join(err, fmt.Errorf("the column %q is absent", name))
		return ""
	}
	day, e1 := strconv.Atoi(get("day"))
	hr, e2 := strconv.Atoi(get("hr"))
	if err = errors.Join(err, e1, e2); err != nil {
		return h, err
	}
	h.at = time.Date(dataYear, 1, day, hr, 0, 0, 0, time.UTC)
	for _, name := range append(slices.Clone(featureColumns), countColumns...) {
		v := get(name)
		if name == "weathersit" {
			v = weatherCodes[v]
		}
		h.cells = append(h.cells, v)
	}
	return h, err
}

// permuteMonths plays the months in another order: each day becomes the next day
// of the calendar, whatever day it was.
func permuteMonths(hours []hour, start time.Time, seed int64) {
	byMonth := map[time.Month][]hour{}
	var months []time.Month
	for _, h := range hours {
		m := h.at.Month()
		if byMonth[m] == nil {
			months = append(months, m)
		}
		byMonth[m] = append(byMonth[m], h)
	}
	rand.New(rand.NewPCG(uint64(seed), 0)).Shuffle(len(months),
		func(i, j int) { months[i], months[j] = months[j], months[i] })
	i, day, last := 0, start.AddDate(0, 0, -1), time.Time{}
	for _, m := range months {
		for _, h := range byMonth[m] {
			if of := h.at.Truncate(24 * time.Hour); !of.Equal(last) {
				last, day = of, day.AddDate(0, 0, 1)
			}
			hours[i] = hour{day.Add(time.Duration(h.at.Hour()) * time.Hour), h.cells}
			i++
		}
	}
}

// writeHours writes the project's table.
func writeHours(path string, hours []hour) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(append(append([]string{"id", "at"}, featureColumns...), countColumns...))
	for _, h := range hours {
		w.Write(append([]string{h.id(), h.at.Format(time.RFC3339)}, h.cells...))
	}
	w.Flush()
	return replaceFile(path, b.Bytes())
}

func (h hour) id() string { return h.at.Format("2006-01-02T15") }

// findData returns the source table: from a .tools directory above, where
// `make setup` puts it, from the cache, or by installing its package into the cache.
func findData(ctx context.Context, say *narrator) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".tools", "islp", dataPath)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	target := filepath.Join(cache, "fairlead", "demo-data")
	path := filepath.Join(target, dataPath)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	say.line("fetching the data (%s)", dataPackage)
	uv, err := pyenv.FindUV("")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, uv, "pip", "install", "--quiet", "--no-deps", "--target", target,
		dataPackage)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fairlead.Errorf(fairlead.Unavailable, "the demo's data cannot be installed: %s",
			out).Because(err)
	}
	return path, nil
}
