package database_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A password is looked up for each new connection, so that it can be changed while the pool is open.
func TestPasswordIsRotated(t *testing.T) {
	server := newCluster(t, "local all postgres trust\nlocal all all scram-sha-256\n")
	testdb.Exec(t, server.dsn(), tables+`; CREATE ROLE app LOGIN PASSWORD 'first'; GRANT pg_read_all_data, pg_write_all_data TO app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app`)
	file := filepath.Join(t.TempDir(), "pgpass")
	write := func(password string) {
		if err := os.WriteFile(file, []byte("*:*:postgres:app:"+password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	connect := fmt.Sprintf("host=%s user=app dbname=postgres passfile=%s", server.folder, file)
	s := open(t, setup{dsn: server.dsn(), connect: connect, options: database.Options{RetryFor: 50 * time.Millisecond}})
	s.works()

	s.behind.exec("ALTER ROLE app PASSWORD 'second'")
	s.works() // connections that are open stay
	s.behind.terminateAll()
	err := s.run(limited(t), s.get("works"))
	expectFault(t, err, fault.Unavailable, "28P01")
	write("second")
	s.works()
}
