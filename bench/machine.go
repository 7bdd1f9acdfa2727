package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// machine is what the figures depend on.
type machine struct {
	Cores  int     `json:"cores"`
	CPU    string  `json:"cpu"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Load   float64 `json:"load"` // average of the last minute, when the run began
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.Kernel = strings.TrimSpace(readText("/proc/sys/kernel/osrelease"))
	if load := strings.Fields(readText("/proc/loadavg")); len(load) > 0 {
		m.Load, _ = strconv.ParseFloat(load[0], 64)
	}
	for line := range strings.Lines(readText("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

// readText returns a file of /proc, or nothing on a system without it.
func readText(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// readVersions reads the NAME := value lines of a makefile.
func readVersions(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; run it from the root of the repository, as `make bench`", err)
	}
	defer f.Close()
	out := map[string]string{}
	for in := bufio.NewScanner(f); in.Scan(); {
		if name, value, ok := strings.Cut(in.Text(), ":="); ok {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return out, nil
}

func absolute(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	return path, err
}
