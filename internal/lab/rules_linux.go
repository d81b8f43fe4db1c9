package lab

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// filter is what the bridge does to segments on their way: a chain of nftables
// at its forward hook. There a drop is a loss on the way. In a host's own output
// it would be a failure to send, which TCP treats in another way (tcp_output.c,
// tcp_write_xmit: no retransmission timer, but the probe's).
type filter struct {
	conn  *nftables.Conn
	ports [2]int
	table *nftables.Table
	chain *nftables.Chain
	rules []*nftables.Rule
}

// newFilter sets the chain up in the namespace that the thread is in.
func newFilter(ports [2]int) (*filter, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	f := &filter{conn: conn, ports: ports}
	f.table = conn.AddTable(&nftables.Table{Family: nftables.TableFamilyBridge, Name: "link"})
	f.build()
	if err := conn.Flush(); err != nil {
		f.close()
		return nil, fmt.Errorf("set up nftables for the bridge (does the kernel have CONFIG_NF_TABLES_BRIDGE?): %w", err)
	}
	return f, nil
}

// build adds a chain that loses nothing.
func (f *filter) build() {
	f.chain = f.conn.AddChain(&nftables.Chain{
		Name: "forward", Table: f.table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	for words := byte(5); words <= 15; words++ {
		f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: f.chain, Exprs: marksData(words)})
	}
}

// carriesData is the mark that segments with data get on the bridge; a packet
// loses its mark when it leaves the namespace.
const carriesData = 1

// marksData marks a segment with a header of so many words and something behind
// it. nftables does not subtract, so there is such a rule for every length that
// the header may have. IP headers have 20 octets here.
func marksData(words byte) []expr.Any {
	length := uint16(20 + 4*int(words))
	return append(isTCP(),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 12, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0xf0}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{words << 4}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpGt, Register: 1, Data: binaryutil.BigEndian.PutUint16(length)},
		&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint32(carriesData)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
	)
}

func isTCP() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(etherIPv4)},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 9, Len: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
	}
}

// add adds a story's rule. What is to be delayed is dropped here, and sent on
// later by who captured it; what is to be duplicated goes on, and is sent again.
func (f *filter) add(r scenario.Rule) error {
	verdict := expr.VerdictDrop
	if r.Fate == scenario.Duplicate {
		verdict = expr.VerdictAccept
	}
	exprs := isTCP()
	if r.From == 0 || r.From == 1 {
		exprs = append(exprs,
			&expr.Meta{Key: expr.MetaKeyIIF, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(uint32(f.ports[r.From]))})
	}
	exprs = append(exprs, ofClass(r.Class)...)
	exprs = append(exprs, counted(r.First, r.Last)...)
	f.rules = append(f.rules, f.conn.AddRule(&nftables.Rule{
		Table: f.table, Chain: f.chain, Exprs: append(exprs, &expr.Verdict{Kind: verdict}),
	}))
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("make the bridge lose packets: %w", err)
	}
	return nil
}

// ofClass matches what scenario.Class.Holds does.
func ofClass(c scenario.Class) []expr.Any {
	switch c {
	case scenario.AnySegment:
		return nil
	case scenario.RST:
		return flags(tcp.RST, tcp.RST)
	case scenario.SYN:
		return flags(tcp.RST|tcp.SYN|tcp.ACK, tcp.SYN)
	case scenario.SYNACK:
		return flags(tcp.RST|tcp.SYN|tcp.ACK, tcp.SYN|tcp.ACK)
	case scenario.FIN:
		return flags(tcp.RST|tcp.SYN|tcp.FIN, tcp.FIN)
	case scenario.Data:
		return append(flags(tcp.RST|tcp.SYN, 0), marked(carriesData)...)
	}
	return append(flags(tcp.RST|tcp.SYN|tcp.FIN, 0), marked(0)...)
}

func flags(of, are tcp.Flags) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{byte(of)}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{byte(are)}},
	}
}

func marked(mark uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(mark)},
	}
}

// counted matches those that come as the first-th to last-th of what got as far
// as here: numgen counts up each time it is asked (nft_numgen.c).
func counted(first, last int) []expr.Any {
	if first <= 1 && last == 0 {
		return nil
	}
	count := []expr.Any{
		&expr.Numgen{Register: 1, Modulus: 1<<31 - 1, Type: unix.NFT_NG_INCREMENTAL},
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(max(first-1, 0)))},
	}
	if last > 0 {
		count = append(count, &expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(last))})
	}
	return count
}

// clear takes all of a story's rules back.
func (f *filter) clear() error {
	if len(f.rules) == 0 {
		return nil
	}
	f.rules = nil
	f.conn.FlushChain(f.chain)
	f.conn.DelChain(f.chain)
	f.build()
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("make the bridge lose nothing: %w", err)
	}
	return nil
}

func (f *filter) close() { _ = f.conn.CloseLasting() }
