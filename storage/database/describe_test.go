package database_test

import (
	"testing"
)

// A database that cannot answer at the moment does not say that a query is wrong.
func TestDescribeMeetsAPassingError(t *testing.T) {
	s := open(t, setup{unasked: true, scripts: []string{
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = ''10ms''', current_database()); END $$;`}})
	statement := s.set.Statement(s.get("k").Statement.Operation)
	describe := func() (problems int, err error) {
		conn, err := s.pool.Connect(limited(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		found, err := statement.Describe(limited(t), conn)
		return len(found), err
	}
	s.behind.exec("BEGIN; LOCK TABLE kv")
	if problems, err := describe(); err == nil || problems != 0 {
		t.Errorf("%d problems, error %v; a lock is no problem of the query", problems, err)
	}
	s.behind.exec("ROLLBACK")
	if problems, err := describe(); err != nil || problems != 0 {
		t.Errorf("%d problems, error %v", problems, err)
	}
}

// What is wrong with a query is a problem and no error.
func TestDescribeFindsAProblem(t *testing.T) {
	s := open(t, setup{unasked: true, replaced: queries{getQuery: `SELECT value FROM nowhere WHERE context = @context AND name = @key`}})
	conn, err := s.pool.Connect(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	problems, err := s.set.Statement(s.get("k").Statement.Operation).Describe(limited(t), conn)
	if err != nil || problems.Err() == nil {
		t.Errorf("problems %v, error %v", problems, err)
	}
}
