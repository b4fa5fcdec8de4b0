package expr

import (
	"math/big"
	"math/rand/v2"
)

// A mersenne is the Mersenne Twister that Python's random uses, so that a
// seed gives the same numbers here as there. Each evaluation has its own.
type mersenne struct {
	state [624]uint32
	next  int
	gauss *float64 // the second of a pair of normal numbers
}

func (ev *eval) rng() *mersenne {
	if ev.random == nil {
		ev.random = &mersenne{}
		ev.random.seed([]uint32{rand.Uint32(), rand.Uint32(), rand.Uint32(), rand.Uint32()})
	}
	return ev.random
}

// seed initialises the state from a key of any length.
func (m *mersenne) seed(key []uint32) {
	const n = len(m.state)
	m.state[0] = 19650218
	for i := 1; i < n; i++ {
		m.state[i] = 1812433253*(m.state[i-1]^m.state[i-1]>>30) + uint32(i)
	}
	i, j := 1, 0
	wrap := func() {
		if i++; i >= n {
			m.state[0] = m.state[n-1]
			i = 1
		}
	}
	for range max(n, len(key)) {
		m.state[i] = (m.state[i] ^ (m.state[i-1]^m.state[i-1]>>30)*1664525) + key[j] + uint32(j)
		wrap()
		if j++; j >= len(key) {
			j = 0
		}
	}
	for range n - 1 {
		m.state[i] = (m.state[i] ^ (m.state[i-1]^m.state[i-1]>>30)*1566083941) - uint32(i)
		wrap()
	}
	m.state[0] = 0x80000000
	m.next, m.gauss = n, nil
}

func (m *mersenne) uint32() uint32 {
	const n, ahead = len(m.state), 397
	if m.next >= n {
		for i := range n {
			y := m.state[i]&0x80000000 | m.state[(i+1)%n]&0x7fffffff
			m.state[i] = m.state[(i+ahead)%n] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		m.next = 0
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float gives a number from 0 up to 1.
func (m *mersenne) float() float64 {
	a, b := m.uint32()>>5, m.uint32()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

// below gives a number from 0 up to n, which is positive.
func (m *mersenne) below(n *big.Int) *big.Int {
	k := n.BitLen()
	for {
		if r := m.bits(k); r.Cmp(n) < 0 {
			return r
		}
	}
}

func (m *mersenne) index(n int) int { return int(m.below(big.NewInt(int64(n))).Int64()) }

// bits gives a number of k random bits, the lowest words first.
func (m *mersenne) bits(k int) *big.Int {
	r := new(big.Int)
	for shift := 0; k > 0; shift, k = shift+32, k-32 {
		w := m.uint32()
		if k < 32 {
			w >>= 32 - k
		}
		r.Or(r, new(big.Int).Lsh(big.NewInt(int64(w)), uint(shift)))
	}
	return r
}
