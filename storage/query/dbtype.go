package query

import (
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// class groups the database's types by how their values look on the wire.
type class int

const (
	classOther class = iota
	classBytea
	classText // every type whose text form is the value: text, varchar, name, enums, citext
	classInt2
	classInt4
	classInt8
	classNumeric
	classFloat4
	classFloat8
	classBool
	classTimestamptz
	classTimestamp
	classInet
	classUUID
	classJSON
	classJSONB
)

// A dbType is a type of the database as far as binding needs it.
type dbType struct {
	OID  uint32
	Name string
	class
	// Element is the type of an array's elements; nil for other types.
	Element *dbType
	// textual types travel in text form, because their binary form is not known: enums and the like.
	textual bool
}

var builtin = map[uint32]*dbType{}

func init() {
	scalar := func(oid, array uint32, name string, c class) {
		t := &dbType{OID: oid, Name: name, class: c}
		builtin[oid] = t
		if array != 0 {
			builtin[array] = &dbType{OID: array, Name: name + "[]", Element: t}
		}
	}
	scalar(pgtype.ByteaOID, pgtype.ByteaArrayOID, "bytea", classBytea)
	scalar(pgtype.TextOID, pgtype.TextArrayOID, "text", classText)
	scalar(pgtype.VarcharOID, pgtype.VarcharArrayOID, "varchar", classText)
	scalar(pgtype.BPCharOID, pgtype.BPCharArrayOID, "char", classText)
	scalar(pgtype.NameOID, pgtype.NameArrayOID, "name", classText)
	scalar(pgtype.Int2OID, pgtype.Int2ArrayOID, "smallint", classInt2)
	scalar(pgtype.Int4OID, pgtype.Int4ArrayOID, "integer", classInt4)
	scalar(pgtype.Int8OID, pgtype.Int8ArrayOID, "bigint", classInt8)
	scalar(pgtype.NumericOID, pgtype.NumericArrayOID, "numeric", classNumeric)
	scalar(pgtype.Float4OID, pgtype.Float4ArrayOID, "real", classFloat4)
	scalar(pgtype.Float8OID, pgtype.Float8ArrayOID, "double precision", classFloat8)
	scalar(pgtype.BoolOID, pgtype.BoolArrayOID, "boolean", classBool)
	scalar(pgtype.TimestamptzOID, pgtype.TimestamptzArrayOID, "timestamptz", classTimestamptz)
	scalar(pgtype.TimestampOID, pgtype.TimestampArrayOID, "timestamp", classTimestamp)
	scalar(pgtype.InetOID, pgtype.InetArrayOID, "inet", classInet)
	scalar(pgtype.CIDROID, pgtype.CIDRArrayOID, "cidr", classInet)
	scalar(pgtype.UUIDOID, pgtype.UUIDArrayOID, "uuid", classUUID)
	scalar(pgtype.JSONOID, pgtype.JSONArrayOID, "json", classJSON)
	scalar(pgtype.JSONBOID, pgtype.JSONBArrayOID, "jsonb", classJSONB)
}

// Types knows the types of one database: those built in, and what was learned about its own
// (enums, domains, extensions' types have numbers that differ from database to database).
type Types struct {
	mu      sync.Mutex
	learned map[uint32]*dbType
}

// NewTypes returns the built-in types.
func NewTypes() *Types { return &Types{learned: map[uint32]*dbType{}} }

// A CatalogueRow is one row of TypesQuery.
type CatalogueRow struct {
	OID, Base, Element uint32
	Name               string
	// Type is pg_type.typtype, Category pg_type.typcategory.
	Type, Category string
}

// TypesQuery reads the catalogue for types that are not built in; $1 is their numbers as an array of
// bigint.
const TypesQuery = `SELECT oid::bigint, typbasetype::bigint, typelem::bigint, typname::text, typtype::text, typcategory::text
	FROM pg_catalog.pg_type WHERE oid::bigint = ANY($1::bigint[])`

// Unknown returns those of the given types that nothing is known about yet.
func (t *Types) Unknown(oids []uint32) []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var unknown []uint32
	for _, oid := range oids {
		if builtin[oid] == nil && t.learned[oid] == nil {
			unknown = append(unknown, oid)
		}
	}
	return unknown
}

// Learn takes in rows of the catalogue. It returns the types that those refer to and that have to be
// learned first; the rows that wait for them must be given again.
func (t *Types) Learn(rows []CatalogueRow) (needed []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range rows {
		dt := &dbType{OID: row.OID, Name: row.Name}
		switch {
		case row.Base != 0: // a domain travels as the type under it
			base := t.get(row.Base)
			if base == nil {
				needed = append(needed, row.Base)
				continue
			}
			copied := *base
			copied.OID, copied.Name = row.OID, row.Name
			dt = &copied
		case row.Category == "A" && row.Element != 0:
			element := t.get(row.Element)
			if element == nil {
				needed = append(needed, row.Element)
				continue
			}
			dt.Element = element
		case row.Type == "e" || row.Category == "S":
			dt.class, dt.textual = classText, true
		}
		t.learned[row.OID] = dt
	}
	return needed
}

func (t *Types) get(oid uint32) *dbType {
	if b := builtin[oid]; b != nil {
		return b
	}
	return t.learned[oid]
}

func (t *Types) lookup(oid uint32) *dbType {
	t.mu.Lock()
	defer t.mu.Unlock()
	if dt := t.get(oid); dt != nil {
		return dt
	}
	return &dbType{OID: oid, Name: fmt.Sprintf("type %d", oid)}
}

// counts says that a value of the type can tell how many rows were affected.
func (t *dbType) counts() bool {
	switch t.class {
	case classInt2, classInt4, classInt8, classNumeric, classBool:
		return t.Element == nil
	}
	return false
}

// format is how values of the type travel: text for what only the server can write in binary.
func (t *dbType) format() int16 {
	leaf := t
	if t.Element != nil {
		leaf = t.Element
	}
	if leaf.textual || leaf.class == classOther {
		return pgtype.TextFormatCode
	}
	return pgtype.BinaryFormatCode
}
