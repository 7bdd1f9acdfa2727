package app_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Silent connections do not take the descriptors that the server's files need.
func TestConnections_LeaveDescriptorsForFiles(t *testing.T) {
	var usual syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &usual); err != nil {
		t.Fatal(err)
	}
	if usual.Cur < 1000 {
		t.Skipf("this machine allows %d descriptors", usual.Cur)
	}
	limit := func(most uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE,
			&syscall.Rlimit{Cur: most, Max: usual.Max}); err != nil {
			t.Fatal(err)
		}
	}
	defer limit(usual.Cur)
	limit(200)
	a := open(t, t.TempDir())
	limit(usual.Cur) // the clients are in this process too
	start(t, a)
	var first net.Conn
	for i := range 101 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i == 0 {
			first = conn
		}
	}
	first.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := first.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("of 200 descriptors 101 are connections: %v", err)
	}
	if status, _ := get(t, a.URL()+"/health"); status != 200 {
		t.Errorf("somebody else gets %d", status)
	}
}
