package query_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	_ "github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data/query"
)

func TestMain(m *testing.M) {
	if os.Getenv("TRY_SANDBOX") != "" {
		trySandbox()
		return
	}
	if os.Getenv("TRY_OLD_KERNEL") != "" {
		tryOldKernel()
		return
	}
	query.ChildMain()
	os.Exit(m.Run())
}

// trySandbox prints what a child can do that it should not.
func trySandbox() {
	for name, try := range map[string]func() error{
		"read a file":      func() error { _, err := os.ReadFile("/etc/passwd"); return err },
		"list a directory": func() error { _, err := os.ReadDir("/"); return err },
		"read its environment": func() error {
			_, err := os.ReadFile("/proc/self/environ")
			return err
		},
		"write a file": func() error {
			return os.WriteFile(filepath.Join(os.Getenv("TRY_SANDBOX"), "x"), []byte("x"), 0o600)
		},
		"write the file that it may read": func() error {
			f, err := os.OpenFile("/proc/self/fd/3", os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("x")
			}
			return err
		},
		"start a program": func() error { return exec.Command("/proc/self/exe").Run() },
		"open a socket":   func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
		"resolve a name":  func() error { _, err := net.Dial("udp", "127.0.0.1:53"); return err },
		"kill its parent": func() error { return syscall.Kill(os.Getppid(), 0) },
		"kill its parent's thread": func() error {
			return unix.Tgkill(os.Getppid(), os.Getppid(), 0)
		},
		"hold its parent": func() error { _, err := unix.PidfdOpen(os.Getppid(), 0); return err },
		"limit its parent": func() error {
			return unix.Prlimit(os.Getppid(), unix.RLIMIT_NOFILE, nil, &unix.Rlimit{})
		},
		"queue calls past the filter": func() error {
			return called(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&[120]byte{})))
		},
		"open a file by its number": func() error {
			_, err := unix.OpenByHandleAt(unix.AT_FDCWD, unix.NewFileHandle(1, make([]byte, 8)), 0)
			return only(err, unix.EPERM)
		},
		"keep what root may": func() error {
			head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var has [2]unix.CapUserData
			if err := unix.Capget(&head, &has[0]); err != nil {
				return err
			}
			if (has[0].Permitted|has[0].Effective)&^(1<<unix.CAP_DAC_READ_SEARCH) != 0 || has[1].Permitted != 0 {
				return nil
			}
			return unix.EPERM
		},
	} {
		if try() == nil {
			fmt.Println(name)
		}
	}
	if b, err := os.ReadFile("/proc/self/fd/3"); err != nil || string(b) != "mine" {
		fmt.Println("not even read its own file:", err)
	}
}

func called(call, a, b uintptr) error {
	if _, _, errno := unix.Syscall(call, a, b, 0); errno != 0 {
		return errno
	}
	return nil
}

// only is err when it is that one: another comes of what the call was given.
func only(err, want error) error {
	if errors.Is(err, want) {
		return err
	}
	return nil
}

func TestSandbox_LeavesItsFilesAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TRY_SANDBOX=" + dir, "FAIRLEAD_QUERY_FILES=1",
		"FAIRLEAD_QUERY_MEMORY=1000000000", "FAIRLEAD_QUERY_SECONDS=10"}
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("a child can %s (%v)", out, err)
	}
}

// tryOldKernel prints what is missing on a kernel without Landlock: a filter answers for it.
func tryOldKernel() {
	runtime.LockOSThread()
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_LANDLOCK_CREATE_RULESET, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	err := cmp.Or(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), unix.Prctl(unix.PR_SET_SECCOMP,
		unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0))
	fmt.Println(query.Missing(), err)
}

func TestMissing_TellsOfAKernelWithoutLandlock(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TRY_OLD_KERNEL=1"}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "[Landlock] <nil>\n" {
		t.Errorf("got %s (%v)", out, err)
	}
}

// parquet writes the result of a query as a file.
func parquet(t testing.TB, sel string) string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "d*[x]?.parquet") // a pattern, for whom takes it so
	if _, err := db.Exec("copy (" + sel + ") to '" + path + "' (format parquet)"); err != nil {
		t.Fatal(err)
	}
	return path
}

// answer keeps what it is told.
type answer struct {
	columns []query.Column
	rows    []string
}

func (a *answer) Columns(c []query.Column) error { a.columns = c; return nil }
func (a *answer) Row(row []byte) error           { a.rows = append(a.rows, string(row)); return nil }

func (a *answer) String() string { return strings.Join(a.rows, " ") }

// tables resolves names from a map, and refuses others.
func tables(files map[string]string) query.Resolve {
	return func(_ context.Context, names []query.Name) (out []query.Table, err error) {
		for _, n := range names {
			path, ok := files[n.Name]
			if !ok && n.Shadowed {
				continue
			}
			if !ok {
				return nil, n.Place.In(fairlead.Errorf(fairlead.NotFound, "no table %s", n.Name))
			}
			out = append(out, query.Table{Name: n.Name, Path: path})
		}
		return out, nil
	}
}

func run(t testing.TB, text string, files map[string]string) (*answer, *query.Summary, error) {
	t.Helper()
	a := &answer{}
	s, err := query.NewRunner(0).Run(t.Context(),
		query.Request{SQL: text, Rows: 100, Bytes: 1 << 20, Cell: 1000}, tables(files), a)
	return a, s, err
}

func TestRun_AnswersOverTheTablesThatItNames(t *testing.T) {
	files := map[string]string{
		"bikes":   parquet(t, "select i as n, i % 3 as season from range(10) t(i)"),
		"bikes/2": parquet(t, "select 'x' as n"),
	}
	for text, want := range map[string]string{
		"select season, count(*) from bikes group by 1 order by 1":                                             "[0,4] [1,3] [2,3]",
		`select * from "bikes/2"; -- the end`:                                                                  `["x"]`,
		"from bikes where n > 7 order by n desc":                                                               "[9,0] [8,2]",
		"with b as (select max(n) m from bikes) select m from b":                                               "[9]",
		`select a.n from bikes a, "bikes/2" b where a.n = 3`:                                                   "[3]",
		"values (1, 'a'), (2, null)":                                                                           `[1,"a"] [2,null]`,
		"select column_name, column_type from (describe bikes)":                                                `["n","BIGINT"] ["season","BIGINT"]`,
		"select column_name, max from (summarize bikes)":                                                       `["n","9"] ["season","2"]`,
		"select 1 as a, 2 as a":                                                                                "[1,2]",
		"select n from bikes where n in (select n from bikes where n < 1)":                                     "[0]",
		"select count(*) from query_table('bikes'), bikes where bikes.n = 1":                                   "[10]",
		"select 'it''s' as \"a \"\"b\"\"\" from bikes limit 1":                                                 `["it's"]`,
		"with bikes as (select n + 1 as n from bikes) select max(n) from bikes":                                "[10]",
		"with recursive b as (select 1 as n union all select n + 1 from b where n < 3) select count(*) from b": "[3]",
		"select table_name from information_schema.tables, bikes where n = 0":                                  `["bikes"]`,
		"select n, row_number() over (order by n desc) r from bikes qualify r=1":                               "[9,1]",
	} {
		a, s, err := run(t, text, files)
		if err != nil || a.String() != want || s.Rows != int64(len(a.rows)) || s.Cut != "" {
			t.Errorf("%s: %s, %+v, %v; want %s", text, a, s, err, want)
		}
	}
}

func TestRun_LosesNothingOfAValue(t *testing.T) {
	for value, want := range map[string]string{
		"9007199254740991":                                 `9007199254740991 BIGINT`,
		"9007199254740993":                                 `"9007199254740993" BIGINT`,
		"(-9223372036854775808)::bigint":                   `"-9223372036854775808" BIGINT`,
		"18446744073709551615::ubigint":                    `"18446744073709551615" UBIGINT`,
		"170141183460469231731687303715884105727::hugeint": `"170141183460469231731687303715884105727" HUGEINT`,
		"7::hugeint":                                       `7 HUGEINT`,
		"1.50::decimal(18,3)":                              `"1.500" DECIMAL(18,3)`,
		"-0.05::decimal(4,2)":                              `"-0.05" DECIMAL(4,2)`,
		"12345678901234567890.123456789::decimal(38,9)":    `"12345678901234567890.123456789" DECIMAL(38,9)`,
		"'nan'::double":                                    `"NaN" DOUBLE`,
		"'-inf'::float":                                    `"-Infinity" FLOAT`,
		"0.1::float":                                       `0.1 FLOAT`,
		"0.1::double + 0.2::double":                        `0.30000000000000004 DOUBLE`,
		"1e300::double":                                    `1e+300 DOUBLE`,
		"true":                                             `true BOOLEAN`,
		"null":                                             `null INTEGER`,
		"1::utinyint":                                      `1 UTINYINT`,
		"'ü\"<'":                                           `"ü\"<" VARCHAR`,
		"date '2011-03-04'":                                `"2011-03-04" DATE`,
		"date 'infinity'":                                  `"infinity" DATE`,
		"time '01:02:03.5'":                                `"01:02:03.5" TIME`,
		"timestamp '2011-03-04 05:06:07.123456'":           `"2011-03-04T05:06:07.123456" TIMESTAMP`,
		"timestamptz '2011-03-04 05:06:07+02'":             `"2011-03-04T03:06:07Z" TIMESTAMPTZ`,
		"timestamptz '-infinity'":                          `"-infinity" TIMESTAMPTZ`,
		"date '20000-01-01'":                               `"+20000-01-01" DATE`,
		"interval '1 month 2 days 3.5 seconds'":            `"P1M2DT3.5S" INTERVAL`,
		"'ab'::blob":                                       `"\\x6162" BLOB`,
		"[1, null, 9007199254740993]":                      `[1,null,"9007199254740993"] BIGINT[]`,
		"{'b': 1, 'a': 'x'}":                               `{"a":"x","b":1} STRUCT("b" INTEGER, "a" VARCHAR)`,
		"map {'k': 1.5::double}":                           `[["k",1.5]] MAP(VARCHAR, DOUBLE)`,
		"'{\"a\": [1]}'::json":                             `{"a":[1]} JSON`,
		"'00000000-0000-0000-0000-00000000000a'::uuid":     `"00000000-0000-0000-0000-00000000000a" UUID`,
		"'a'::enum('a', 'b')":                              `"a" ENUM`,
	} {
		a, _, err := run(t, "select "+value+" as v", nil)
		if err != nil || len(a.rows) != 1 {
			t.Errorf("%s: %v", value, err)
			continue
		}
		got := strings.TrimSuffix(strings.TrimPrefix(a.rows[0], "["), "]")
		if got += " " + a.columns[0].Type; got != want {
			t.Errorf("%s is %s, want %s", value, got, want)
		}
	}
}

func TestRun_SaysWhereAQueryIsWrong(t *testing.T) {
	files := map[string]string{"bikes": parquet(t, "select 1 as n, 'a' as s")}
	for text, want := range map[string]string{
		"selct 1":                           "1:1 syntax error",
		"select n\nfrom bikes\nwhere ü = 1": "3:7 Referenced column",
		"select 'ü', nope from bikes":       "1:13 Referenced column",
		"select n, nop(n) from bikes":       "1:11 Scalar Function",
		"select s::int from bikes":          "1:9 Could not convert",
		"select (1":                         "1:10 syntax error",
		"":                                  "0:0 nothing to run",
		"-- only a comment":                 "0:0 nothing to run",
		"select 1; select 2":                "0:0 one at a time",
		"select ?":                          "0:0 ",
	} {
		_, _, err := run(t, text, files)
		var e *fairlead.Error
		if !errors.As(err, &e) || e.Code == fairlead.Internal {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := "0:0"
		if e.Detail != nil {
			got = fmt.Sprintf("%d:%d", e.Detail["line"], e.Detail["column"])
		}
		place, says, _ := strings.Cut(want, " ")
		if got != place || !strings.Contains(e.Message, says) {
			t.Errorf("%s: %s %s", text, got, e.Message)
		}
	}
}

func TestRun_KeepsToItsTables(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mine, others := parquet(t, "select 1 as n"), parquet(t, "select 2 as n")
	files := map[string]string{"mine": mine}
	out := filepath.Join(t.TempDir(), "out")
	for _, text := range []string{
		"select * from read_csv('/etc/passwd')", "select * from '/etc/passwd'",
		"select * from '" + secret + "'", "select * from read_csv('" + secret + "')",
		"select * from read_text('/proc/self/environ')", "select * from read_blob('/proc/1/environ')",
		"select * from glob('/etc/*')", "select * from glob('" + filepath.Dir(secret) + "/*')",
		"select * from sniff_csv('" + secret + "')", "select * from parquet_metadata('" + others + "')",
		"select * from read_parquet('" + others + "')", "select * from read_parquet('" + mine + "')",
		"select * from read_json('/etc/passwd'), mine", "select * from others",
		"select * from query_table('others')", "select * from query('from read_text(''/etc/passwd'')')",
		"select * from read_csv('http://127.0.0.1:1/x')", "select * from read_parquet('s3://b/x')",
		"select * from read_csv('/proc/self/fd/0')", "select * from read_duckdb('" + secret + "')",
		"attach '" + out + "'", "attach ':memory:' as m", "copy mine to '" + out + "'",
		"copy (select 1) to '" + out + "' (format csv)", "export database '" + out + "'",
		"install httpfs", "load '" + secret + "'", "install x from '/tmp'",
		"set memory_limit = '100GB'", "set lock_configuration = false", "reset memory_limit",
		"set enable_external_access = true", "set allowed_paths = ['/etc/passwd']",
		"pragma enable_external_access = true", "pragma threads = 8", "call pragma_version()",
		"create table t as select 1", "create macro m() as 1", "insert into mine values (3)",
		"delete from mine", "update mine set n = 3", "drop view mine", "checkpoint", "vacuum",
		"begin", "prepare p as select 1", "execute p", "use memory", "explain select 1",
		"select * from query('copy mine to ''" + out + "''')", "select getenv('PATH')",
		"select * from query('set memory_limit = ''100GB''')", "detach memory",
		"create secret s (type s3)", "select * from duckdb_secrets()",
		"select * from read_csv('/dev/stdin')", "select * from read_text('/proc/self/cgroup')",
		"select * from read_text('/sys/fs/cgroup/memory.max')", "select * from glob('/proc/self/fd/*')",
		"select * from read_blob('/proc/self/mem')", "select * from read_text('../secret.csv')",
		"select * from parquet_file_metadata('" + others + "')", "select * from read_ndjson('" + secret + "')",
		"select * from parquet_scan('" + others + "')", "select * from 'file://" + secret + "'",
		"select * from read_json_objects('" + secret + "')", "copy (select 1) to '/dev/stdout'",
		"copy (select 1) to '/proc/self/fd/1'", "copy mine to '/proc/self/fd/3' (format parquet)",
		"select * from parquet_kv_metadata('" + others + "')", "select * from postgres_scan('h', 's', 't')",
		"select * from sqlite_scan('" + secret + "', 't')", "from query_table(['mine', 'others'])",
		"select getvariable('x'), * from others", "select * from main.others", "select * from memory.main.others",
		"from system.information_schema.nope", "pragma database_list", "show databases; select 1",
		"set variable x = (select 1)", "load httpfs", "force install httpfs", "force checkpoint",
		"use system", "alter table mine add column x int", "create or replace view mine as select 2",
		"create temp table t as select 1", "create type t as enum ('a')", "create sequence s",
		"merge into mine using mine m on false when not matched then insert", "truncate mine",
		"copy mine from '" + secret + "'", "deallocate p", "kill 1", "comment on view mine is 'x'",
		"from pragma_storage_info('mine'), read_text('/etc/hostname')",
		"import database '/tmp'", "with x as (insert into mine values (1)) select * from x",
	} {
		a, _, err := run(t, text, files)
		if err == nil || fairlead.CodeOf(err) == fairlead.Internal && !strings.Contains(text, "secrets") {
			t.Errorf("%s: %s, %v", text, a, err)
		}
		if err != nil && strings.Contains(err.Error(), "fd/") {
			t.Errorf("%s tells of descriptors: %v", text, err)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
	a, _, err := run(t, "select * from mine", files)
	if err != nil || a.String() != "[1]" {
		t.Errorf("afterwards: %s, %v", a, err)
	}
}

func TestRun_BoundsTheAnswer(t *testing.T) {
	a, s, err := run(t, "from range(1000000000)", nil)
	if err != nil || s.Cut != query.CutRows || s.Rows != 100 || len(a.rows) != 100 {
		t.Errorf("rows: %+v, %v", s, err)
	}
	a, s, err = run(t, "select repeat('x', 100000000)", nil)
	if err != nil || s.Cut != "" || s.CutCells != 1 || len(a.rows[0]) > 1010 ||
		!strings.HasSuffix(a.rows[0], `…"]`) {
		t.Errorf("cell: %+v, %v", s, err)
	}
	whole := &answer{}
	s, err = query.NewRunner(0).Run(t.Context(), query.Request{
		SQL: "select repeat('x', 1000000) from range(100)", Rows: 1000, Bytes: 10 << 20},
		tables(nil), whole)
	if err != nil || s.Cut != query.CutBytes || s.Rows != 10 || len(whole.rows[9]) != 1_000_004 {
		t.Errorf("100 MB: %+v, %v", s, err)
	}
	_, err = query.NewRunner(0).Run(t.Context(), query.Request{
		SQL: "select repeat('x', 100000000)", Rows: 1, Bytes: 1 << 40}, tables(nil), &answer{})
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("a row of 100 MB: %v", err)
	}
	_, _, err = run(t, strings.Repeat(" ", query.MaxSQL)+"select 1", nil)
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("long text: %v", err)
	}
}

func TestRun_BoundsMemory(t *testing.T) {
	r := query.NewRunner(5 * time.Second) // what takes longer has too little memory by then
	for _, text := range []string{
		"select list(a || 'xxxxxxxxxxxxxxxxxxxxxxxx') from range(1000000000) t(a)",
		"select * from (select * from range(100000000) t(a) order by hash(a)) where a > 1 offset 1000000",
		"select repeat('x', 2000000000)",
		"select count(distinct a) from range(10000000000) t(a)",
	} {
		_, err := r.Run(t.Context(), query.Request{SQL: text, Rows: 10, Bytes: 1 << 20}, tables(nil),
			&answer{})
		if !fairlead.Is(err, fairlead.Precondition) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRun_SurvivesWhatBreaksParsers(t *testing.T) {
	for _, text := range []string{
		"select " + strings.Repeat("(", 30_000) + "1" + strings.Repeat(")", 30_000),
		"select " + strings.Repeat("-", 1) + strings.Repeat("(-", 10_000) + "1" + strings.Repeat(")", 10_000),
		"select " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"select * from " + strings.Repeat("(select * from ", 4000) + "range(1)" + strings.Repeat(")", 4000),
		"select '\x00'", "\xff\xfe", "select '\xff'",
	} {
		_, _, err := run(t, text, nil)
		if fairlead.Is(err, fairlead.Internal) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestRun_EndsWithItsTime(t *testing.T) {
	start := time.Now()
	_, err := query.NewRunner(500*time.Millisecond).Run(t.Context(), query.Request{
		SQL: "select sum(hash(a)) from range(1000000000000) t(a)", Rows: 1, Bytes: 1000},
		tables(nil), &answer{})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "500ms") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestRun_EndsWithWhoAsked(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	endless := query.Request{SQL: "select sum(hash(a)) from range(1000000000000) t(a)", Rows: 1, Bytes: 100}
	_, err := query.NewRunner(0).Run(ctx, endless, tables(nil), &answer{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("left while it ran: %v", err)
	}
	_, err = query.NewRunner(0).Run(ctx, endless, tables(nil), &answer{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("left before: %v", err)
	}
}

// slow is an answer whose reader waits at each row.
type slow struct {
	answer
	wait <-chan struct{}
}

func (s *slow) Row(row []byte) error { <-s.wait; return s.answer.Row(row) }

// Its time is over while it writes its second row.
func TestRun_NoRowIsHalfOfOne(t *testing.T) {
	over := make(chan struct{})
	resolve := func(ctx context.Context, _ []query.Name) ([]query.Table, error) {
		context.AfterFunc(ctx, func() { close(over) })
		return nil, nil
	}
	a := &slow{wait: over}
	_, err := query.NewRunner(3*time.Second).Run(t.Context(), query.Request{Rows: 1000, Bytes: 1 << 40,
		SQL: "select repeat('x', 1000000) from range(200)"}, resolve, a)
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "longer than 3s") {
		t.Errorf("got %v", err)
	}
	for i, row := range a.rows {
		if !json.Valid([]byte(row)) {
			t.Errorf("row %d is cut off after %d bytes", i, len(row))
		}
	}
}

func TestRun_SaysThatItsTimeIsOverBeforeItRuns(t *testing.T) {
	_, err := query.NewRunner(time.Second).Run(t.Context(), query.Request{SQL: "select 1", Rows: 1,
		Bytes: 100}, func(ctx context.Context, _ []query.Name) ([]query.Table, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("look up tables: %w", ctx.Err())
	}, &answer{})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "longer than 1s") {
		t.Errorf("got %v", err)
	}
}

// Bombs end by their time or memory, wherever they go off.
func TestRun_EndsBombs(t *testing.T) {
	r := query.NewRunner(2 * time.Second)
	for _, text := range []string{
		"with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r",
		"with recursive r(s) as (select 'x' union all select s || s from r) select max(length(s)) from r",
		"with recursive r(l) as (select [1] union all select list_concat(l, l) from r) select count(*) from r",
		"select count(*) from range(1e12::bigint) a, range(1e12::bigint) b",
		"select regexp_matches(repeat('a', 1000000), repeat('(a*)*', 200) || 'b')",
		"select list_reduce(range(100000000), lambda a, b: a + b)", "from range(1000000000) order by random()",
		"select string_agg(repeat('x', 1000), '') from range(10000000)", "select unnest(range(10000000000))",
		"select " + strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"select printf('%1000000000d', 1)", "select lpad('x', 2147483647, 'y')", "select bitstring('1', 2147483647)",
	} {
		_, err := r.Run(t.Context(), query.Request{SQL: text, Rows: 10, Bytes: 1 << 20}, tables(nil),
			&answer{})
		if err != nil && !fairlead.Is(err, fairlead.Precondition) && !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestRun_LeavesNothingBehind(t *testing.T) {
	mine := parquet(t, "select i as n from range(100000) t(i)")
	files := map[string]string{"mine": mine}
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if _, _, err := run(t, "from mine", files); err != nil { // what is opened once
		t.Fatal(err)
	}
	before := descriptors()
	for _, text := range []string{"from mine", "from mine order by n desc", "selct", "from nothing", "select error('x')",
		"select repeat('x', 2000000000)", "select sum(hash(a)) from range(1000000000000) t(a)"} {
		_, _ = query.NewRunner(time.Second).Run(t.Context(), query.Request{SQL: text, Rows: 3, Bytes: 1 << 20},
			tables(files), &answer{})
	}
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors, and %d before", after, before)
	}
	children, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range children {
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			t.Errorf("children: %s", b)
		}
	}
}

func TestRun_RunsFewAtOnce(t *testing.T) {
	r := query.NewRunner(0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	inside, ended := make(chan struct{}), make(chan error, 3)
	held := func(ctx context.Context, _ []query.Name) ([]query.Table, error) {
		inside <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for range 3 {
		go func() {
			_, err := r.Run(ctx, query.Request{SQL: "select 1", Rows: 1, Bytes: 100}, held, &answer{})
			ended <- err
		}()
	}
	<-inside
	<-inside
	select {
	case <-inside:
		t.Error("three at once")
	case err := <-ended:
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("the third: %v", err)
		}
	}
}

func TestRun_GivesBackWhatTheCallerRefuses(t *testing.T) {
	refused := fairlead.Errorf(fairlead.Denied, "not this one")
	var asked []string
	_, err := query.NewRunner(0).Run(t.Context(), query.Request{SQL: "from a, \"b/1\", main.a",
		Rows: 1, Bytes: 100}, func(_ context.Context, names []query.Name) ([]query.Table, error) {
		for _, n := range names {
			asked = append(asked, n.Name)
		}
		return nil, refused
	}, &answer{})
	if !errors.Is(err, refused) || !slices.Equal(asked, []string{"a", "b/1"}) {
		t.Errorf("asked for %q, %v", asked, err)
	}
}
