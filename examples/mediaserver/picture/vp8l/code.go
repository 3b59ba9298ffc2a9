package vp8l

import (
	"math/bits"
	"slices"
)

const (
	// maxCodeLength of a symbol, in bits; maxLengthLength of the symbols that describe a code.
	maxCodeLength   = 15
	maxLengthLength = 7
)

// code is a prefix code: the bits of each symbol, in the order in which they are written.
type code struct {
	words   []uint16
	lengths []uint8
}

func (c code) write(w *bitWriter, symbol int) {
	w.write(uint64(c.words[symbol]), uint(c.lengths[symbol]))
}

// writeCode makes the prefix code for symbols of these frequencies and writes its description.
func writeCode(w *bitWriter, counts []int) code {
	var used []int
	for symbol, count := range counts {
		if count > 0 && len(used) < 3 {
			used = append(used, symbol)
		}
	}
	if len(used) == 0 {
		used = []int{0} // the format has no empty code
	}
	if len(used) <= 2 && used[len(used)-1] < literals {
		return writeSimple(w, used, len(counts))
	}
	c := canonical(lengthsFor(counts, maxCodeLength))
	writeLengths(w, c.lengths)
	return c
}

// writeSimple writes a code of one symbol, which then takes no bits, or of two.
func writeSimple(w *bitWriter, used []int, alphabet int) code {
	w.write(1, 1)
	w.write(uint64(len(used)-1), 1)
	if used[0] < 2 {
		w.write(0, 1)
		w.write(uint64(used[0]), 1)
	} else {
		w.write(1, 1)
		w.write(uint64(used[0]), 8)
	}
	c := code{make([]uint16, alphabet), make([]uint8, alphabet)}
	if len(used) == 2 {
		w.write(uint64(used[1]), 8)
		c.words[used[1]] = 1
		c.lengths[used[0]], c.lengths[used[1]] = 1, 1
	}
	return c
}

// canonical gives out words in order of length, then symbol (RFC 1951, 3.2.2). A stream has the
// first bit of a word lowest.
func canonical(lengths []uint8) code {
	var perLength [maxCodeLength + 1]uint16
	for _, length := range lengths {
		if length > 0 {
			perLength[length]++
		}
	}
	var next [maxCodeLength + 1]uint16
	for length := 1; length <= maxCodeLength; length++ {
		next[length] = (next[length-1] + perLength[length-1]) << 1
	}
	words := make([]uint16, len(lengths))
	for symbol, length := range lengths {
		if length > 0 {
			words[symbol] = bits.Reverse16(next[length]) >> (16 - length)
			next[length]++
		}
	}
	return code{words, lengths}
}

// lengthsFor returns the lengths of a Huffman code. Where the longest is beyond the limit the
// frequencies are brought closer together until it is not: that costs next to nothing in size.
// At least two symbols must occur.
func lengthsFor(counts []int, limit uint8) []uint8 {
	counts = slices.Clone(counts)
	for {
		lengths := huffman(counts)
		if slices.Max(lengths) <= limit {
			return lengths
		}
		for i, count := range counts {
			counts[i] = (count + 1) / 2
		}
	}
}

// node of a Huffman tree under construction.
type node struct {
	count  int
	parent int
}

// huffman builds the tree with two queues: leaves by count, and inner nodes, which are made in
// order of their count.
func huffman(counts []int) []uint8 {
	var leaves []int
	for symbol, count := range counts {
		if count > 0 {
			leaves = append(leaves, symbol)
		}
	}
	slices.SortStableFunc(leaves, func(a, b int) int { return counts[a] - counts[b] })
	nodes := make([]node, len(leaves), 2*len(leaves)-1)
	for i, symbol := range leaves {
		nodes[i].count = counts[symbol]
	}
	leaf, inner := 0, len(leaves)
	smallest := func() int {
		if leaf < len(leaves) && (inner == len(nodes) || nodes[leaf].count <= nodes[inner].count) {
			leaf++
			return leaf - 1
		}
		inner++
		return inner - 1
	}
	for len(nodes) < cap(nodes) {
		a, b := smallest(), smallest()
		nodes[a].parent, nodes[b].parent = len(nodes), len(nodes)
		nodes = append(nodes, node{count: nodes[a].count + nodes[b].count})
	}
	// Parents come after their children: depths are known from the root down.
	depths := make([]uint8, len(nodes))
	lengths := make([]uint8, len(counts))
	for i := len(nodes) - 2; i >= 0; i-- {
		depths[i] = depths[nodes[i].parent] + 1
		if i < len(leaves) {
			lengths[leaves[i]] = depths[i]
		}
	}
	return lengths
}

// The symbols that describe the lengths of a code: 0 to 15 are lengths, the rest repetitions.
const (
	repeatPrevious  = 16 // 3 to 6 times, 2 extra bits
	repeatZero      = 17 // 3 to 10 times, 3 extra bits
	repeatZeroLong  = 18 // 11 to 138 times, 7 extra bits
	describingCodes = 19
)

// lengthOrder is the order in which the lengths of the describing symbols are written.
var lengthOrder = [describingCodes]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// description is one describing symbol with its extra bits.
type description struct {
	symbol    int
	extra     uint64
	extraBits uint
}

// writeLengths writes the description of a code.
func writeLengths(w *bitWriter, lengths []uint8) {
	described := describe(lengths)
	var counts [describingCodes]int
	for _, d := range described {
		counts[d.symbol]++
	}
	c := canonical(lengthsFor(counts[:], maxLengthLength))
	written := describingCodes
	for written > 4 && c.lengths[lengthOrder[written-1]] == 0 {
		written--
	}
	w.write(0, 1) // not the simple form
	w.write(uint64(written-4), 4)
	for _, symbol := range lengthOrder[:written] {
		w.write(uint64(c.lengths[symbol]), 3)
	}
	w.write(0, 1) // all symbols of the alphabet are described
	for _, d := range described {
		c.write(w, d.symbol)
		w.write(d.extra, d.extraBits)
	}
}

// describe turns lengths into describing symbols.
func describe(lengths []uint8) []description {
	var described []description
	for i := 0; i < len(lengths); {
		length := lengths[i]
		run := 1
		for i+run < len(lengths) && lengths[i+run] == length {
			run++
		}
		i += run
		if length > 0 {
			described = append(described, description{symbol: int(length)})
			run--
		}
		for run > 0 {
			d, covered := repetition(length, run)
			described = append(described, d)
			run -= covered
		}
	}
	return described
}

// repetition describes as much of a run as one symbol can.
func repetition(length uint8, run int) (d description, covered int) {
	switch {
	case run < 3:
		return description{symbol: int(length)}, 1
	case length > 0:
		covered = min(run, 6)
		return description{repeatPrevious, uint64(covered - 3), 2}, covered
	case run < 11:
		return description{repeatZero, uint64(run - 3), 3}, run
	}
	covered = min(run, 138)
	return description{repeatZeroLong, uint64(covered - 11), 7}, covered
}
