package bench

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// The stored things follow from numbers, by the same rules here and in the script that stores them:
// the i-th alias belongs to the i-th hash, but each tenth to the hash before; every hash has one
// variant, every hash and variant its details, and each tenth alias stands for a URL.

// mediaVariant is the variant that every hash has.
const mediaVariant = "resize/200/webp"

// mediaDetails are those of every file, as the database writes them: a hundred bytes, as real ones.
const mediaDetails = `{"width": 1920, "format": "Image", "frames": null, "height": 1080, "created_at": "2026-01-02T03:04:05Z", "content_type": "image/webp"}`

// sharing is that of so many aliases one has its hash with another, and one stands for a URL.
const sharing = 10

// fill stores the first $1 aliases and what belongs to them.
var mediaFill = []string{
	`INSERT INTO media_hashes (hash, identifier, created_at)
	 SELECT sha256(convert_to('mortise bench ' || i, 'UTF8')) || '\x00000010000001', ` + fileInSQL("original") + `, now() - i * interval '1 second'
	 FROM generate_series(0, $1::bigint - 1) AS i WHERE i % 10 <> 9`,
	`INSERT INTO media_aliases (alias, delete_token, hash)
	 SELECT md5('mortise bench ' || i) || '.webp', 'token-' || i, sha256(convert_to('mortise bench ' || i - (i % 10 = 9)::int, 'UTF8')) || '\x00000010000001'
	 FROM generate_series(0, $1::bigint - 1) AS i`,
	`INSERT INTO media_variants (hash, variant, identifier, accessed)
	 SELECT sha256(convert_to('mortise bench ' || i, 'UTF8')) || '\x00000010000001', '` + mediaVariant + `', ` + fileInSQL("variant") + `, now() - interval '1 day'
	 FROM generate_series(0, $1::bigint - 1) AS i WHERE i % 10 <> 9`,
	`INSERT INTO media_details (identifier, details)
	 SELECT file, '` + mediaDetails + `'::jsonb
	 FROM generate_series(0, $1::bigint - 1) AS i, LATERAL (VALUES (` + fileInSQL("original") + `), (` + fileInSQL("variant") + `)) AS of (file) WHERE i % 10 <> 9`,
	`INSERT INTO media_proxies (url, alias, accessed)
	 SELECT 'https://images.example/mortise/bench/' || i, md5('mortise bench ' || i) || '.webp', now() - interval '1 day'
	 FROM generate_series(0, $1::bigint - 1, 10) AS i`,
}

// mediaEmpty removes the first $1 of everything again, with what the benchmarks added.
var mediaEmpty = []string{
	`DELETE FROM media_jobs WHERE queue LIKE 'mortise bench %'`,
	`DELETE FROM media_proxies WHERE url LIKE 'https://images.example/mortise/bench/%'`,
	`DELETE FROM media_variants WHERE hash IN (SELECT sha256(convert_to('mortise bench ' || i, 'UTF8')) || '\x00000010000001' FROM generate_series(0, $1::bigint - 1) AS i)`,
	`DELETE FROM media_details WHERE identifier IN (SELECT file
	 FROM generate_series(0, $1::bigint - 1) AS i, LATERAL (VALUES (` + fileInSQL("original") + `), (` + fileInSQL("variant") + `)) AS of (file))`,
	`DELETE FROM media_aliases WHERE alias IN (SELECT md5('mortise bench ' || i) || '.webp' FROM generate_series(0, $1::bigint - 1) AS i)`,
	`DELETE FROM media_hashes WHERE hash IN (SELECT sha256(convert_to('mortise bench ' || i, 'UTF8')) || '\x00000010000001' FROM generate_series(0, $1::bigint - 1) AS i)`,
}

// fileInSQL is the identifier of a file, as fileOf makes it.
func fileInSQL(kind string) string {
	text := "md5('" + kind + " ' || i)"
	return "substr(" + text + ", 1, 2) || '/' || substr(" + text + ", 3, 2) || '/' || " + text + " || '.webp'"
}

func fileOf(kind string, i int64) string {
	text := md5Of(kind + " " + strconv.FormatInt(i, 10))
	return text[:2] + "/" + text[2:4] + "/" + text + ".webp"
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// ownHash is a hash as pict-rs makes them: digest, length, format.
func ownHash(i int64) []byte {
	sum := sha256.Sum256([]byte("mortise bench " + strconv.FormatInt(i, 10)))
	return append(sum[:], 0, 0, 0, 0x10, 0, 0, 1)
}

func aliasOf(i int64) string { return md5Of("mortise bench "+strconv.FormatInt(i, 10)) + ".webp" }

// hashNumber is the number of the hash that an alias belongs to.
func hashNumber(alias int64) int64 {
	if alias%sharing == sharing-1 {
		return alias - 1
	}
	return alias
}
