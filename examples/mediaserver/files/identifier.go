package files

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/uuid"
)

const (
	// levels is how many folders of two characters come before a file's name. A time-ordered UUID
	// begins with milliseconds since 1970, 48 bits of them: four folders take the upper 32, so the
	// last folder changes every 65 seconds and holds what was written in that time.
	levels = 4
	// nameLength is how many of the UUID's 32 hexadecimal digits are left for the name.
	nameLength = 32 - 2*levels
	// maxExtension bounds the extension, in characters.
	maxExtension = 8
)

// newIdentifier makes an identifier that was never used and never will be. The extension has no
// dot; it may be empty.
func newIdentifier(extension string) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("making an identifier: %w", err)
	}
	digits := strings.ReplaceAll(id.String(), "-", "")
	parts := make([]string, 0, levels+1)
	for level := range levels {
		parts = append(parts, digits[2*level:2*level+2])
	}
	name := digits[2*levels:]
	if extension != "" {
		name += "." + extension
	}
	return path.Join(append(parts, name)...), nil
}

// Valid says whether a string has the form of this store's identifiers: four folders of two
// hexadecimal digits, 24 more digits, and optionally a dot with an extension. Such a path cannot
// leave the folder.
func Valid(identifier string) bool {
	parts := strings.Split(identifier, "/")
	if len(parts) != levels+1 {
		return false
	}
	for _, folder := range parts[:levels] {
		if len(folder) != 2 || !hexadecimal(folder) {
			return false
		}
	}
	name, extension, dotted := strings.Cut(parts[levels], ".")
	if len(name) != nameLength || !hexadecimal(name) {
		return false
	}
	return !dotted || (extension != "" && validExtension(extension))
}

// cleanExtension takes an extension with or without its dot and returns it without.
func cleanExtension(extension string) (string, error) {
	clean := strings.ToLower(strings.TrimPrefix(extension, "."))
	if !validExtension(clean) {
		return "", fmt.Errorf("an extension has at most %d letters and digits", maxExtension)
	}
	return clean, nil
}

func validExtension(extension string) bool {
	return len(extension) <= maxExtension && only(extension, "0123456789abcdefghijklmnopqrstuvwxyz")
}

func hexadecimal(s string) bool { return only(s, "0123456789abcdef") }

func only(s, allowed string) bool {
	for i := range len(s) {
		if strings.IndexByte(allowed, s[i]) < 0 {
			return false
		}
	}
	return true
}
