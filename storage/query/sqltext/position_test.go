package sqltext

import "testing"

func TestLineColumn(t *testing.T) {
	const source = "aé\r\n\n🦀b"
	for offset, want := range map[int][2]int{
		-1: {1, 1}, 0: {1, 1}, 1: {1, 2}, 3: {1, 3}, 4: {1, 4}, 5: {2, 1}, 6: {3, 1}, 10: {3, 2}, 11: {3, 3}, 99: {3, 3},
	} {
		if line, column := LineColumn(source, offset); line != want[0] || column != want[1] {
			t.Errorf("offset %d is at %d:%d, want %d:%d", offset, line, column, want[0], want[1])
		}
	}
}

// The server counts characters of Text, from 1.
func TestSourceOffset(t *testing.T) {
	const source = "SELECT 'é', @id, x=@other FROM t; -- end"
	compiled, found := Compile(source, []Parameter{{Name: "other"}, {Name: "id"}})
	if compiled == nil {
		t.Fatal(found)
	}
	if want := "SELECT 'é', $1, x=$2 FROM t"; compiled.Text != want {
		t.Fatalf("text is %q", compiled.Text)
	}
	for position, want := range map[int]int{
		1: 0, 9: 8, 10: 10, 13: 13, 14: 13, 15: 16, 18: 19, 19: 20, 20: 20, 21: 26, 22: 27, 27: 32, 28: 33,
	} {
		if got, ok := compiled.SourceOffset(position); !ok || got != want {
			t.Errorf("position %d is at %d (%v), want %d: %q", position, got, ok, want, source[want:])
		}
	}
	for _, position := range []int{-1, 0, 29, 1000} {
		if got, ok := compiled.SourceOffset(position); ok {
			t.Errorf("position %d outside of the text is at %d", position, got)
		}
	}
	if first, last := compiled.Origin(-5), compiled.Origin(1000); first != 0 || last != 33 {
		t.Errorf("offsets outside of the text are at %d and %d", first, last)
	}
}
