package bench

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) {
	status := m.Run()
	if shared != nil {
		if err := shared.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	if err := testdb.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// tasks are all that is measured.
var tasks = slices.Concat(peerTasks, announceTasks, readTasks, dataTasks, otherTasks, mediaTasks)

func taskNamed(name string) task {
	i := slices.IndexFunc(tasks, func(t task) bool { return t.name == name })
	return tasks[i]
}

func TestBenchmarksRun(t *testing.T) {
	const callers, iterations = 3, 7
	e := environmentFor(t)
	for _, one := range tasks {
		for _, name := range one.existsIn() {
			t.Run(one.name+"/"+name, func(t *testing.T) {
				callers := callers
				if one.alone {
					callers = 1
				}
				if err := one.ready(t.Context(), e, name, callers, iterations); err != nil {
					t.Fatal(err)
				}
				started, stopped := false, false
				latencies, err := measure(t.Context(), e, one, name, callers, iterations, func() { started = true }, func() { stopped = true })
				if err != nil {
					t.Fatal(err)
				}
				if !started || !stopped || len(latencies) != iterations || slices.Contains(latencies, 0) {
					t.Errorf("started %v, stopped %v, latencies %v", started, stopped, latencies)
				}
			})
		}
	}
}

func TestNothingIsLeftInADatabaseOfOnesOwn(t *testing.T) {
	e := environmentFor(t)
	s := e.settings
	s.config, s.database, s.plugin = filepath.Join("..", "queries.example.yaml"), testdb.Database(t, mortise.Schema), e.program
	t.Setenv(databaseVariable, "") // so that it is set back afterwards
	own, err := openEnvironment(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"GraduateLeecher", "AnnounceSeeder", "DataPut"} {
		if _, err := measure(t.Context(), own, taskNamed(name), wayPlugin, 2, 5, func() {}, func() {}); err != nil {
			t.Error(err)
		}
	}
	if err := own.close(); err != nil {
		t.Fatal(err)
	}
	left, err := openQuietly(t.Context(), own.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	got, err := newAPI(left.Conn()).stats(t.Context())
	if err != nil || got.seeders+got.leechers != 0 {
		t.Errorf("%d seeders and %d leechers are left, error %v", got.seeders, got.leechers, err)
	}
}

func TestEveryTaskIsABenchmark(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				if name, ok := strings.CutPrefix(f.Name.Name, "Benchmark"); ok {
					found[name] = true
				}
			}
		}
	}
	for _, one := range tasks {
		if !found[one.name] {
			t.Errorf("no function Benchmark%s", one.name)
		}
		delete(found, one.name)
	}
	for name := range found {
		t.Errorf("Benchmark%s is no task, so TestBenchmarksRun leaves it out", name)
	}
}

func TestEveryMethodIsMeasured(t *testing.T) {
	measured := map[string]bool{}
	for _, one := range tasks {
		for _, method := range one.methods {
			measured[method] = true
		}
	}
	for _, service := range []grpc.ServiceDesc{trackerv1.Swarms_ServiceDesc, trackerv1.Data_ServiceDesc, trackerv1.Database_ServiceDesc} {
		short := service.ServiceName[strings.LastIndexByte(service.ServiceName, '.')+1:]
		for _, method := range service.Methods {
			if !measured[short+"."+method.MethodName] {
				t.Errorf("no benchmark is about %s.%s", short, method.MethodName)
			}
		}
	}
}

func TestAnswersThatCannotBeRight(t *testing.T) {
	s := &swarm{loaded: [2][2]int{{6, 2}, {3, 1}}, clients: 2}
	v4 := peerOf(s, 1)
	for name, tt := range map[string]struct {
		err   error
		wrong bool
	}{
		"as loaded":                     {counts{seeders: 4, leechers: 8}.plausible(s), false},
		"with clients":                  {counts{seeders: 5, leechers: 9}.plausible(s), false},
		"a leecher is missing":          {counts{seeders: 5, leechers: 7}.plausible(s), true},
		"a seeder is missing":           {counts{seeders: 3, leechers: 9}.plausible(s), true},
		"too many":                      {counts{seeders: 6, leechers: 9}.plausible(s), true},
		"a family":                      {counts{seeders: 1, leechers: 2}.plausibleFamily(s, true), false},
		"the other family":              {counts{seeders: 1, leechers: 2}.plausibleFamily(s, false), true},
		"all leechers for a seeder":     {plausiblePeers(6, v4, true, 50), false},
		"too few for a leecher":         {plausiblePeers(8, v4, false, 50), true},
		"as many as wanted":             {plausiblePeers(5, v4, false, 5), false},
		"more than wanted":              {plausiblePeers(6, v4, false, 5), true},
		"one row":                       {affected(1).mustBe(1, "x"), false},
		"no row":                        {affected(0).mustBe(1, "x"), true},
		"a query set that does not say": {unknown.mustBe(1, "x"), false},
	} {
		if (tt.err != nil) != tt.wrong {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
}

func TestPoolSize(t *testing.T) {
	for dsn, want := range map[string]string{
		"host=/run dbname=x":                     "host=/run dbname=x pool_max_conns=10",
		"postgres://u@h/d":                       "postgres://u@h/d?pool_max_conns=10",
		"postgres://u@h/d?sslmode=disable":       "postgres://u@h/d?sslmode=disable&pool_max_conns=10",
		"postgres://u@h/d?pool_max_conns=4":      "postgres://u@h/d?pool_max_conns=4",
		"host=/run dbname=x pool_max_conns = 30": "host=/run dbname=x pool_max_conns = 30",
	} {
		if got := withPoolSize(dsn); got != want {
			t.Errorf("%s became %s, not %s", dsn, got, want)
		}
	}
}
