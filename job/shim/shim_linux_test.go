package shim_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim"
)

// path is the PATH of all steps here.
const path = "PATH=/usr/local/bin:/usr/bin:/bin"

// sh returns a Spec of a shell script in fresh directories.
func sh(t *testing.T, script string) shim.Spec {
	t.Helper()
	root := t.TempDir()
	return shim.Spec{
		Dir: filepath.Join(root, "attempt"), WorkDir: root,
		Command: []string{"sh", "-c", script}, Env: []string{path},
	}
}

func start(t *testing.T, s shim.Spec) *shim.Handle {
	t.Helper()
	h, err := shim.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Kill(context.Background())
		h.Close()
	})
	return h
}

func wait(t *testing.T, h *shim.Handle) shim.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exit, err := h.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func run(t *testing.T, s shim.Spec) shim.Exit {
	t.Helper()
	return wait(t, start(t, s))
}

// output is the whole log of an attempt.
func output(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := shim.CopyLog(&b, dir); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// lines waits until a step has printed n lines and returns them.
func lines(t *testing.T, dir string, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		got := strings.Split(output(t, dir), "\n")
		if len(got) > n {
			return got[:n]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the step printed %q, not %d lines", got, n)
		}
	}
}

// dead reports whether no process, or only a zombie, has that pid.
func dead(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	rest := string(b[bytes.LastIndexByte(b, ')')+2:])
	return rest[0] == 'Z' || rest[0] == 'X'
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pids returns the pids of a running attempt.
func pids(t *testing.T, dir string) (shimPID, childPID int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		var who struct{ Shim, Child struct{ PID int } }
		b, err := os.ReadFile(filepath.Join(dir, "shim.json"))
		if err == nil && json.Unmarshal(b, &who) == nil {
			return who.Shim.PID, who.Child.PID
		}
		if time.Now().After(deadline) {
			t.Fatal("the shim did not say who it is")
		}
	}
}

func TestWait_SaysHowTheCommandEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		command []string
		state   shim.State
		code    int
		signal  string
		message string
	}{
		"success":        {[]string{"true"}, shim.Exited, 0, "", ""},
		"failure":        {[]string{"sh", "-c", "exit 7"}, shim.Exited, 7, "", ""},
		"signal":         {[]string{"sh", "-c", "kill -TERM $$"}, shim.Signaled, -1, "terminated", ""},
		"own kill":       {[]string{"sh", "-c", "kill -KILL $$"}, shim.Signaled, -1, "killed", ""},
		"not on PATH":    {[]string{"no-such-program"}, shim.StartError, -1, "", "the step's PATH"},
		"missing file":   {[]string{"./no-such-file"}, shim.StartError, -1, "", "no such file"},
		"not executable": {[]string{"/etc/passwd"}, shim.StartError, -1, "", "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sh(t, "")
			s.Command = tc.command
			exit := run(t, s)
			if exit.State != tc.state || exit.Code != tc.code || exit.Signal != tc.signal {
				t.Errorf("exit = %+v", exit)
			}
			if !strings.Contains(exit.Error, tc.message) || (tc.message == "") != (exit.Error == "") {
				t.Errorf("error = %q, want %q", exit.Error, tc.message)
			}
			if exit.StartedMS == 0 || exit.FinishedMS < exit.StartedMS {
				t.Errorf("times %d to %d", exit.StartedMS, exit.FinishedMS)
			}
		})
	}
}

func TestStart_GivesTheCommandItsDirectoryAndEnvironment(t *testing.T) {
	t.Setenv("FROM_THE_SERVER", "leaks")
	s := sh(t, `pwd; echo "$FROM_THE_SERVER|$OF_THE_STEP"; cat; echo "end of stdin" >&2`)
	s.Env = append(s.Env, "OF_THE_STEP=sec\nret")
	if exit := run(t, s); !exit.OK() {
		t.Fatalf("exit = %+v", exit)
	}
	want := s.WorkDir + "\n|sec\nret\nend of stdin\n"
	if got := output(t, s.Dir); got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
	b, err := os.ReadFile(filepath.Join(s.Dir, "spec.json"))
	if err != nil || bytes.Contains(b, []byte("sec")) {
		t.Errorf("the environment must not reach the disk: %s, %v", b, err)
	}
}

func TestStart_SaysThatTheWorkDirectoryIsMissing(t *testing.T) {
	s := sh(t, "true")
	s.WorkDir = filepath.Join(s.WorkDir, "gone")
	exit := run(t, s)
	if exit.State != shim.StartError || !strings.Contains(exit.Error, "work directory") {
		t.Errorf("exit = %+v", exit)
	}
}

func TestStart_RefusesBadSpecs(t *testing.T) {
	for name, change := range map[string]func(*shim.Spec){
		"no command":         func(s *shim.Spec) { s.Command = nil },
		"relative directory": func(s *shim.Spec) { s.Dir = "attempt" },
		"relative work":      func(s *shim.Spec) { s.WorkDir = "." },
		"negative timeout":   func(s *shim.Spec) { s.Timeout = -1 },
		"NUL":                func(s *shim.Spec) { s.Env = []string{"A=\x00"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := sh(t, "true")
			change(&s)
			if _, err := shim.Start(t.Context(), s); !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestStart_UsesADirectoryOnce(t *testing.T) {
	s := sh(t, "echo once")
	run(t, s)
	if _, err := shim.Start(t.Context(), s); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("second start: %v", err)
	}
	if got := output(t, s.Dir); got != "once\n" {
		t.Errorf("output = %q", got)
	}
}

func TestTimeout_EndsAStepThatHangs(t *testing.T) {
	for name, script := range map[string]string{
		"which listens": "sleep 1000",
		"which is deaf": "trap '' TERM; while :; do sleep 0.01; done",
	} {
		t.Run(name, func(t *testing.T) {
			s := sh(t, script)
			s.Timeout, s.Grace = 50*time.Millisecond, 50*time.Millisecond
			exit := run(t, s)
			if exit.State != shim.TimedOut || exit.FinishedMS-exit.StartedMS > 5000 {
				t.Errorf("exit = %+v", exit)
			}
		})
	}
}

func TestKill_LetsTheStepCleanUpFirst(t *testing.T) {
	s := sh(t, `trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done`)
	s.Grace = 10 * time.Second
	h := start(t, s)
	lines(t, s.Dir, 1)
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, h); exit.State != shim.Killed || exit.Code != 3 {
		t.Errorf("exit = %+v", exit)
	}
	if got := output(t, s.Dir); !strings.HasSuffix(got, "bye\n") {
		t.Errorf("output = %q", got)
	}
	if err := h.Kill(t.Context()); err != nil {
		t.Errorf("a second kill: %v", err)
	}
}

// A machine that shuts down sends TERM to the command as well, which may be faster.
func TestTerm_OfShimAndCommandAtOnceIsNoFailureOfTheCommand(t *testing.T) {
	s := sh(t, "exec sleep 1000")
	h := start(t, s)
	shimPID, childPID := pids(t, s.Dir)
	syscall.Kill(shimPID, syscall.SIGSTOP)
	syscall.Kill(childPID, syscall.SIGTERM)
	syscall.Kill(shimPID, syscall.SIGTERM)
	syscall.Kill(shimPID, syscall.SIGCONT)
	if exit := wait(t, h); exit.State != shim.Killed {
		t.Errorf("exit = %+v", exit)
	}
}

func TestKill_RightAfterStartIsNotLost(t *testing.T) {
	for range 10 {
		h := start(t, sh(t, "sleep 1000"))
		if err := h.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if exit := wait(t, h); exit.State != shim.Killed {
			t.Errorf("exit = %+v", exit)
		}
	}
}

// Three processes: one in the step's group, one that left it by setsid, and one
// that was orphaned within its own session.
const brood = `
	sleep 1000 & echo $!
	setsid sh -c 'echo $$; (sleep 1000 & echo $!); exec sleep 1000' &
`

func TestStep_LeavesNothingBehind(t *testing.T) {
	s := sh(t, brood+`until [ -e go ]; do sleep 0.01; done`)
	h := start(t, s)
	family := lines(t, s.Dir, 3)
	os.WriteFile(filepath.Join(s.WorkDir, "go"), nil, 0o600)
	if exit := wait(t, h); !exit.OK() {
		t.Errorf("exit = %+v", exit)
	}
	for _, pid := range family {
		if !dead(number(t, pid)) {
			t.Errorf("process %s outlived its step", pid)
		}
	}
}

func TestKill_EndsWhatAKilledShimLeft(t *testing.T) {
	s := sh(t, `trap '' TERM; `+brood+`wait`)
	h := start(t, s)
	family := lines(t, s.Dir, 3)
	shimPID, child := pids(t, s.Dir)
	syscall.Kill(shimPID, syscall.SIGKILL)
	if exit := wait(t, h); exit.State != shim.Lost {
		t.Fatalf("exit = %+v", exit)
	}
	again, err := shim.Attach(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Alive() {
		t.Error("the shim was killed and counts as alive")
	}
	if err := again.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(family, strconv.Itoa(child)) {
		if !dead(number(t, pid)) {
			t.Errorf("process %s outlived its step", pid)
		}
	}
	if exit := wait(t, again); exit.State != shim.Lost {
		t.Errorf("exit after the clean-up = %+v", exit)
	}
}

// A process that hung in the kernel when the shim gave up may run on afterwards.
func TestKill_EndsWhatAnExitSaysIsLeft(t *testing.T) {
	s := sh(t, "true")
	run(t, s)
	rewrite(t, filepath.Join(s.Dir, "exit.json"), func(m map[string]any) { m["left"] = true })
	var intent struct{ Cookie string }
	b, err := os.ReadFile(filepath.Join(s.Dir, "spec.json"))
	if err != nil || json.Unmarshal(b, &intent) != nil {
		t.Fatal(err)
	}
	left := exec.Command("sleep", "1000")
	left.Env = []string{shim.AttemptVar + "=" + intent.Cookie}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	h, err := shim.Attach(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- left.Wait() }()
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if exit := wait(t, h); !exit.OK() || !exit.Left {
		t.Errorf("exit = %+v", exit)
	}
}

func TestKill_SparesAProcessThatGotTheNumber(t *testing.T) {
	s := sh(t, "sleep 1000")
	h := start(t, s)
	shimPID, _ := pids(t, s.Dir)
	syscall.Kill(shimPID, syscall.SIGKILL)
	wait(t, h)

	bystander := exec.Command("sleep", "1000")
	bystander.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { bystander.Process.Kill(); bystander.Wait() }()
	rewrite(t, filepath.Join(s.Dir, "shim.json"), func(m map[string]any) {
		child := m["child"].(map[string]any)
		child["pid"] = bystander.Process.Pid
		child["start"] = child["start"].(float64) - 1 // the two may have started in one clock tick
	})
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dead(bystander.Process.Pid) {
		t.Error("a process that only has the child's number was killed")
	}
}

func rewrite(t *testing.T, file string, change func(map[string]any)) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// server starts a step from another process and returns that process.
func server(t *testing.T, s shim.Spec) *exec.Cmd {
	t.Helper()
	spec, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVar+"="+string(spec))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
		t.Fatalf("the server said %q, %v", line, err)
	}
	return cmd
}

func TestAttach_FindsTheStepOfADeadServer(t *testing.T) {
	s := sh(t, `echo up; until [ -e go ]; do sleep 0.01; done; echo done; exit 4`)
	first := server(t, s)
	lines(t, s.Dir, 1)
	first.Process.Kill()
	first.Wait()

	h, err := shim.Attach(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if !h.Alive() {
		t.Fatal("the step died with its server")
	}
	os.WriteFile(filepath.Join(s.WorkDir, "go"), nil, 0o600)
	if exit := wait(t, h); exit.State != shim.Exited || exit.Code != 4 {
		t.Errorf("exit = %+v", exit)
	}
	if got := output(t, s.Dir); got != "up\ndone\n" {
		t.Errorf("output = %q", got)
	}
}

func TestAttach_AnswersWithoutAShim(t *testing.T) {
	if _, err := shim.Attach(t.TempDir()); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("nothing started: %v", err)
	}

	s := sh(t, "exit 5")
	run(t, s)
	h, err := shim.Attach(s.Dir)
	if err != nil || h.Alive() {
		t.Fatalf("an ended attempt: %v", err)
	}
	if exit := wait(t, h); exit.Code != 5 {
		t.Errorf("exit = %+v", exit)
	}
	if err := h.Kill(t.Context()); err != nil {
		t.Errorf("kill of an ended attempt: %v", err)
	}
}

func TestAttach_TakesAZombieShimForDead(t *testing.T) {
	s := sh(t, "sleep 1000")
	first := server(t, s)
	shimPID, _ := pids(t, s.Dir)
	syscall.Kill(first.Process.Pid, syscall.SIGSTOP) // a stopped parent reaps nobody
	syscall.Kill(shimPID, syscall.SIGKILL)
	for !dead(shimPID) {
		time.Sleep(time.Millisecond)
	}
	h, err := shim.Attach(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.Alive() {
		t.Error("a zombie counts as alive")
	}
	if err := h.Kill(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAttach_ReadsOlderDirectoriesAndRefusesNewer(t *testing.T) {
	h, err := shim.Attach("testdata/protocol1")
	if err != nil {
		t.Fatal(err)
	}
	want := shim.Exit{State: shim.Exited, Code: 3, StartedMS: 1795248000000, FinishedMS: 1795248001000,
		LogBytes: 6, MaxRSSBytes: 4096, UserMS: 1, SysMS: 2}
	if exit := wait(t, h); exit != want {
		t.Errorf("exit = %+v", exit)
	}

	s := sh(t, "true")
	run(t, s)
	newer := func(m map[string]any) { m["protocol"] = shim.Protocol + 1 }
	rewrite(t, filepath.Join(s.Dir, "spec.json"), newer)
	if _, err := shim.Attach(s.Dir); !fairlead.Is(err, fairlead.Unimplemented) {
		t.Errorf("a newer directory: %v", err)
	}
}

func TestWait_EndsWithItsContext(t *testing.T) {
	h := start(t, sh(t, "sleep 1000"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Wait(ctx); err != context.Canceled {
		t.Errorf("err = %v", err)
	}
	if !h.Alive() {
		t.Error("giving up the wait ended the step")
	}
}

func TestVoid_KeepsALateServerFromStarting(t *testing.T) {
	s := sh(t, "echo late")
	if err := shim.Void(s.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := shim.Start(t.Context(), s); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("start: %v", err)
	}
	h, err := shim.Attach(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, h); exit.State != shim.Lost {
		t.Errorf("exit = %+v", exit)
	}
	if err := shim.Void(s.Dir); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("void what was used: %v", err)
	}
}
