package python_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/enginetest"
	"github.com/fairlead-ml/fairlead/engine/python"
)

// busy writes to the FIFO that its column names, and is then deaf to its socket.
const busy = `
import time
class Model:
    def predict(self, df):
        fifo = open(df["fifo"].iloc[0], "w")
        fifo.write("x")
        fifo.flush()
        time.sleep(600)
def _load_pyfunc(path): return Model()
`

const busyInputs = `[{"type":"string","name":"fifo","required":true}]`

// TestMain is also the server that TestWorker_DiesWithItsServer kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_SERVER_DIR"); dir != "" {
		serve(dir)
	}
	status := m.Run()
	if sharedWorker != nil {
		sharedWorker.Close()
	}
	os.Exit(status)
}

func serve(dir string) {
	sig, err := engine.ParseSignature(busyInputs, "")
	if err == nil {
		var w *python.Worker
		w, err = python.Start(context.Background(), python.Options{Python: os.Getenv("TEST_PYTHON"),
			ModelDir: os.Getenv("TEST_MODEL"), Signature: sig, Dir: dir})
		if err == nil {
			request := engine.NewFrame(engine.Strings("fifo", os.Getenv("TEST_FIFO")))
			_, err = w.Predict(context.Background(), request)
		}
	}
	fmt.Fprintln(os.Stderr, "the server ended by itself:", err)
	os.Exit(1)
}

func TestWorker_DiesWithItsServer(t *testing.T) {
	t.Parallel()
	env := enginetest.Env(t, enginetest.Serving)
	fifo := makeFIFO(t)
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "TEST_SERVER_DIR="+t.TempDir(), "TEST_PYTHON="+env.Python,
		"TEST_MODEL="+enginetest.Pyfunc(t, busy, busyInputs, ""), "TEST_FIFO="+fifo)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if _, err := io.ReadFull(alive, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	server.Process.Kill()
	server.Wait()
	// The worker held the only other end: the read ends when it is gone.
	if _, err := io.ReadAll(alive); err != nil {
		t.Error(err)
	}
}
