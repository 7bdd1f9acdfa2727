package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// eachRow calls fn with each row of a Parquet file with exactly T's columns; what is no
// such file is Invalid. Rows may be kept.
func eachRow[T any](root *os.Root, name string, fn func(*T) error) (err error) {
	f, err := openFile(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var ours error // is not the file's fault
	defer func() {
		if p := recover(); p != nil { // the library's, of a file that lies about itself
			err = damaged(name, "%v", p)
		}
	}()
	err = func() error {
		if err := checkFooter(f, info.Size()); err != nil {
			return err
		}
		file, err := parquet.OpenFile(f, info.Size(), parquet.SkipBloomFilters(true),
			parquet.SkipPageIndex(true))
		if err != nil {
			return err
		}
		if want := parquet.SchemaOf(new(T)); !parquet.SameNodes(file.Schema(), want) {
			return fmt.Errorf("its columns are %s, and not %s", file.Schema(), want)
		}
		in := parquet.NewGenericReader[T](file)
		defer in.Close()
		for {
			rows := make([]T, tableChunk)
			n, err := in.Read(rows)
			for i := range rows[:n] {
				if ours = fn(&rows[i]); ours != nil {
					return ours
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if n == 0 {
				return errors.New("it has fewer rows than it says")
			}
		}
	}()
	if err != nil && ours == nil {
		return damaged(name, "%v", err)
	}
	return err
}

// maxFooter bounds what a Parquet file may say about itself, in bytes.
const maxFooter = 64 << 20

// checkFooter refuses a footer that is longer than its file, or than any of ours: the
// library makes room for it before it looks.
func checkFooter(f *os.File, size int64) error {
	var end [8]byte
	if _, err := f.ReadAt(end[:], max(0, size-int64(len(end)))); err != nil {
		return err
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > min(maxFooter, size) {
		return fmt.Errorf("its footer has %d bytes", n)
	}
	return nil
}
