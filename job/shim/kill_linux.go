package shim

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// killMargin is what a shim may take beyond the grace period to end its step
// before it is killed itself.
const killMargin = 10 * time.Second

// Kill ends the attempt: TERM to its group, after the grace period KILL to all
// that is left. It returns when nothing of the step runs any more, also when
// the shim was dead before. Of an attempt that has ended it only looks for what its
// exit says is left.
func (h *Handle) Kill(ctx context.Context) error {
	if h.Alive() {
		if err := h.killShim(ctx); err != nil {
			return err
		}
	}
	if exit, ended, err := readExit(h.dir); err != nil || ended && !exit.Left {
		return err
	}
	return h.killOrphans(ctx)
}

// killShim asks the shim to end its step, and kills a shim that does not.
func (h *Handle) killShim(ctx context.Context) error {
	err := os.WriteFile(filepath.Join(h.dir, keeper.KillFile), nil, 0o600)
	if err != nil && !errors.Is(err, unix.ENOSPC) { // it only matters if the shim dies now
		return err
	}
	h.signal(unix.SIGTERM)
	late := time.NewTimer(h.intent.Grace() + killMargin)
	defer late.Stop()
	for {
		select {
		case <-h.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			h.signal(unix.SIGKILL)
		}
	}
}

func (h *Handle) signal(sig unix.Signal) {
	raw, err := h.pidfd.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	}
}

// killOrphans ends what a killed shim left behind.
func (h *Handle) killOrphans(ctx context.Context) error {
	var who keeper.Whois // empty when the shim died before it wrote it: the cookie finds the rest
	if err := readRecord(h.dir, keeper.ShimFile, &who); fairlead.Is(err, fairlead.Unimplemented) {
		return err
	}
	entry := AttemptVar + "=" + h.intent.Cookie
	termUntil := time.Now().Add(h.intent.Grace())
	giveUp := termUntil.Add(killMargin)
	for sig := unix.SIGTERM; ; {
		orphans, err := findOrphans(who.Child, entry)
		if err != nil || len(orphans) == 0 {
			return err
		}
		now := time.Now()
		switch {
		case now.After(giveUp):
			return fairlead.Errorf(fairlead.Unavailable,
				"process %d of the step does not end, even when killed", orphans[0].PID)
		case !now.Before(termUntil):
			sig = unix.SIGKILL
		}
		for _, id := range orphans {
			if sig != 0 {
				signalProcess(id, sig)
			}
		}
		if sig == unix.SIGTERM { // once: a second TERM makes many programs give up cleaning
			sig = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// findOrphans returns the living processes of an attempt whose shim is dead:
// the child with its group, all that carry the attempt's cookie, and all
// descendants of these. The group counts only while its leader is surely the
// child: later its number may be another's.
func findOrphans(child keeper.Identity, entry string) ([]keeper.Identity, error) {
	all, err := keeper.Processes()
	if err != nil {
		return nil, err
	}
	leader := all[child.PID]
	sure := leader.PID != 0 && leader.Identity() == child
	found := make(map[int]bool)
	for pid, s := range all {
		if sure && s.Group == child.PID || carries(pid, entry) {
			found[pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, s := range all {
			if !found[pid] && found[s.PPID] {
				found[pid], grown = true, true
			}
		}
	}
	var list []keeper.Identity
	for pid := range found {
		list = append(list, all[pid].Identity())
	}
	return list, nil
}
