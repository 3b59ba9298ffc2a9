package check

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/storage/problem"
)

// A Product is a kind of database server.
type Product string

// The products that rules tell apart. Unknown is any server: nothing is said of what only one of them
// would refuse.
const (
	Unknown     Product = ""
	PostgreSQL  Product = "postgres"
	CockroachDB Product = "cockroachdb"
)

// A Target is what a file is written for.
type Target struct {
	Product Product
	// Version is the lowest version of the server that the queries have to run on: PostgreSQL's major
	// version (13, 15), which is server_version_num / 10000; for CockroachDB ten times the year plus the
	// release (241 is 24.1). 0 is not known.
	Version int
	// Pooler says that a connection pooler in transaction mode is between: statements of one caller may
	// run on different connections.
	Pooler bool
}

// products are the words for each product; the first one is used when a target is printed.
var products = []struct {
	product Product
	words   []string
}{
	{PostgreSQL, []string{"postgres", "postgresql", "pg"}},
	{CockroachDB, []string{"cockroachdb", "cockroach", "crdb"}},
}

var poolerWords = []string{"pooler", "pgbouncer"}

// ParseTarget reads a target as operators write it: "postgres", "postgres 15", "cockroachdb 24.1",
// "pooler", "postgres 14 pooler". The words may come in any order and case; an empty text is a target
// of which nothing is known.
func ParseTarget(text string) (Target, error) {
	var t Target
	version := ""
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' || r == '\r' }) {
		product := productOf(word)
		switch {
		case product != Unknown && t.Product != Unknown && t.Product != product:
			return Target{}, fmt.Errorf("a file is written for one product: %s or %s", t.Product, product)
		case product != Unknown:
			t.Product = product
		case word == poolerWords[0] || word == poolerWords[1]:
			t.Pooler = true
		case isVersion(word) && version != "":
			return Target{}, fmt.Errorf("two versions are given, %s and %s; give the lowest one", version, strings.TrimPrefix(word, "v"))
		case isVersion(word):
			version = strings.TrimPrefix(word, "v")
		default:
			return Target{}, unknownWord(word)
		}
	}
	if version == "" {
		return t, nil
	}
	number, err := versionNumber(t.Product, version)
	t.Version = number
	if err != nil {
		return Target{}, err
	}
	return t, nil
}

func productOf(word string) Product {
	for _, p := range products {
		for _, w := range p.words {
			if w == word {
				return p.product
			}
		}
	}
	return Unknown
}

func isVersion(word string) bool {
	word = strings.TrimPrefix(word, "v")
	return word != "" && strings.Trim(word, "0123456789.") == "" && word[0] != '.'
}

func unknownWord(word string) error {
	var known []string
	for _, p := range products {
		known = append(known, p.words...)
	}
	known = append(known, poolerWords...)
	if near := problem.Nearest(strings.TrimRight(word, "0123456789.-:_="), known); near != "" {
		return fmt.Errorf("%q is not known here; did you mean %s? For example: postgres 15, cockroachdb 24.1, postgres 14 pooler", word, near)
	}
	return fmt.Errorf("%q is not known here; possible are postgres, cockroachdb, a version behind one of them, and pooler", word)
}

// versionNumber makes one number of a version.
func versionNumber(product Product, text string) (int, error) {
	first, rest, _ := strings.Cut(text, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0, fmt.Errorf("%s is no version", text)
	}
	switch product {
	case PostgreSQL:
		if major < 10 || major > 99 {
			return 0, fmt.Errorf("PostgreSQL %s: versions from 10 to 99 can be given, by their first number", text)
		}
		return major, nil
	case CockroachDB:
		minor, err := strconv.Atoi(second)
		if err != nil || minor < 1 || minor > 9 || major < 19 || major > 99 {
			return 0, fmt.Errorf("CockroachDB %s: write the year and the release, for example 24.1", text)
		}
		return major*10 + minor, nil
	default:
		return 0, fmt.Errorf("%s is the version of what? Write postgres %s, or cockroachdb and its version", text, first)
	}
}

// String returns the target as ParseTarget reads it; "any server" if nothing is known.
func (t Target) String() string {
	var words []string
	if t.Product != Unknown {
		words = append(words, string(t.Product))
	}
	switch {
	case t.Version == 0:
	case t.Product == CockroachDB:
		words = append(words, fmt.Sprintf("%d.%d", t.Version/10, t.Version%10))
	case t.Product == PostgreSQL:
		words = append(words, strconv.Itoa(t.Version))
	}
	if t.Pooler {
		words = append(words, poolerWords[0])
	}
	if len(words) == 0 {
		return "any server"
	}
	return strings.Join(words, " ")
}
