package sample

import (
	"bytes"
	"testing"
)

func TestSamplesAreTheSameEveryTime(t *testing.T) {
	for _, kind := range Kinds() {
		seen := make(map[string]uint64)
		for seed := range uint64(5) {
			first, err := Sample(kind, seed, 40, 30)
			if err != nil {
				t.Fatal(err)
			}
			second, err := Sample(kind, seed, 40, 30)
			if err != nil || !bytes.Equal(first, second) {
				t.Errorf("%s of seed %d came out differently: %v", kind, seed, err)
			}
			if other, ok := seen[string(first)]; ok {
				t.Errorf("%s of seeds %d and %d are the same", kind, other, seed)
			}
			seen[string(first)] = seed
		}
		if kind.Extension() == "" {
			t.Errorf("%s has no extension", kind)
		}
	}
}

func TestSamplesThatCannotBe(t *testing.T) {
	for _, size := range [][2]int{{0, 1}, {1, 0}, {-1, 5}} {
		if _, err := Sample(PNG, 1, size[0], size[1]); err == nil {
			t.Errorf("a sample of %v was painted", size)
		}
	}
	if _, err := Sample("bmp", 1, 5, 5); err == nil {
		t.Error("a sample of an unknown kind was painted")
	}
	for _, orientation := range []int{0, 9, -1} {
		if _, err := Oriented(orientation, 1, 5, 5); err == nil {
			t.Errorf("a sample of orientation %d was painted", orientation)
		}
	}
}

func TestTheBallStaysInThePicture(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {5, 3}, {640, 480}, {10, 900}} {
		for frame := range Frames {
			b := BallBounds(frame, size[0], size[1])
			if b.Min.X < 0 || b.Min.Y < 0 || b.Max.X > size[0] || b.Max.Y > size[1] || b.Empty() {
				t.Errorf("frame %d of %v: the ball is at %v", frame, size, b)
			}
		}
	}
}
