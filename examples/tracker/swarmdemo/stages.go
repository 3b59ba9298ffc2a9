package swarmdemo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/anacrolix/torrent/tracker/udp"

	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
)

// seederJoins starts the one client that has the file.
func (d *demo) seederJoins(ctx context.Context) error {
	library, _, _, err := d.programs()
	if err != nil {
		return err
	}
	seeder, err := d.join(ctx, "seeder", "seeder", "http", library)
	if err != nil {
		return err
	}
	if err := d.waitRow(ctx, seeder, true); err != nil {
		return err
	}
	d.paper.step(d.begin, "the seeder is in the table of peers")
	return nil
}

// leechersJoin starts clients of different kinds at once and waits until all have the file.
func (d *demo) leechersJoin(ctx context.Context) error {
	library, downloader, daemon, err := d.programs()
	if err != nil {
		return err
	}
	if _, err := d.join(ctx, "leecher A", "leecher", "udp", library); err != nil {
		return err
	}
	if _, err := d.join(ctx, "leecher B", "leecher", "http", downloader); err != nil {
		return err
	}
	if daemon != nil {
		if _, err := d.join(ctx, "leecher C", "leecher", "udp", daemon); err != nil {
			return err
		}
	} else {
		d.paper.step(d.begin, "transmission-daemon is not installed: one kind of client less")
	}
	return d.complete(ctx)
}

// complete waits until every member has the file, as a seeder in the table, and all their
// downloads are counted.
func (d *demo) complete(ctx context.Context) error {
	for _, m := range d.members {
		if m.seed || m.verified {
			continue
		}
		if err := wait(ctx, m.name+" to complete", func() (bool, error) { return m.complete, d.pollAll(ctx) }); err != nil {
			return err
		}
		if err := m.verify(d.payload); err != nil {
			return err
		}
		d.paper.step(d.begin, "%s (%s) has the file, SHA-256 as shared", m.name, m.program.title())
	}
	for _, m := range d.members {
		if m.left {
			continue
		}
		if err := d.waitRow(ctx, m, true); err != nil {
			return err
		}
	}
	return d.counted(ctx)
}

// counted waits until each completed download is counted exactly once, then compares what the
// tracker says in both protocols with what the tables say.
func (d *demo) counted(ctx context.Context) error {
	var want, present int64
	for _, m := range d.members {
		if !m.seed {
			want++
		}
		if !m.left {
			present++
		}
	}
	err := wait(ctx, "all downloads to be counted", func() (bool, error) {
		downloads, err := d.tables.downloads(ctx, d.payload.hash[:])
		if err == nil && downloads > want {
			err = fmt.Errorf("%d downloads are counted instead of %d", downloads, want)
		}
		return downloads == want, err
	})
	if err != nil {
		return err
	}
	for protocol, scrape := range map[string]func(context.Context) (udp.ScrapeInfohashResult, error){
		"HTTP": d.scrapeHTTP, "UDP": d.scrapeUDP,
	} {
		swarm, err := scrape(ctx)
		if err != nil {
			return fmt.Errorf("scraping by %s: %w", protocol, err)
		}
		if right := (udp.ScrapeInfohashResult{Seeders: int32(present), Completed: int32(want)}); swarm != right {
			return fmt.Errorf("a scrape by %s says %+v instead of %+v", protocol, swarm, right)
		}
	}
	d.paper.step(d.begin, "scrapes by HTTP and by UDP agree with the tables: %d seeders, %d downloads counted", present, want)
	return nil
}

// seederLeaves stops the original seeder, whose row must go.
func (d *demo) seederLeaves(ctx context.Context) error {
	if err := d.leave(ctx, d.members[0]); err != nil {
		return err
	}
	d.paper.step(d.begin, "the seeder has left and is no longer in the table")
	return nil
}

// lateLeecherJoins starts a client that can get the file from former leechers only.
func (d *demo) lateLeecherJoins(ctx context.Context) error {
	library, _, _, err := d.programs()
	if err != nil {
		return err
	}
	late, err := d.join(ctx, "late leecher", "leecher", "http", library)
	if err != nil {
		return err
	}
	if err := d.complete(ctx); err != nil {
		return err
	}
	if _, ok := late.sources[d.members[0].address.String()]; ok || len(late.sources) == 0 {
		return errors.New("the late leecher's data did not come from the former leechers")
	}
	return nil
}

// everybodyLeaves stops all clients; the swarm must be empty then.
func (d *demo) everybodyLeaves(ctx context.Context) error {
	for _, m := range d.members {
		if !m.left {
			if err := d.leave(ctx, m); err != nil {
				return err
			}
		}
	}
	rows, err := d.tables.peers(ctx, d.payload.hash[:])
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return fmt.Errorf("%d rows are left after everybody has gone", len(rows))
	}
	d.paper.title("Afterwards")
	fmt.Fprintln(d.options.Out, "  All clients have left, and so have their rows.")
	return nil
}

// show prints the report while the swarm is still there.
func (d *demo) show(ctx context.Context) error {
	d.paper.title("The swarm of %s (%d bytes, info hash %s)", fileName, d.payload.size, d.payload.hash.HexString())
	d.paper.swarm(d.members)
	rows, err := d.tables.peers(ctx, d.payload.hash[:])
	if err != nil {
		return err
	}
	d.paper.title("The operator's table tracker_peers, read by SQL")
	d.paper.rows(rows, d.members)
	downloads, err := d.tables.downloads(ctx, d.payload.hash[:])
	if err != nil {
		return err
	}
	d.paper.title("The operator's table tracker_downloads")
	fmt.Fprintf(d.options.Out, "  %d downloads of this torrent\n", downloads)
	all, err := operations(ctx, pluginv1.NewPluginClient(d.plugin.Conn()))
	if err != nil {
		return err
	}
	d.paper.title("What the plugin did: one operation is one query of %s", filepath.Base(d.options.Queries))
	d.paper.operations(all)
	metrics, err := d.saveMetrics(ctx)
	if err != nil {
		return err
	}
	d.paper.title("Where to look")
	fmt.Fprintf(d.options.Out, "  logs       %s (tracker.log has the tracker's and the plugin's)\n", d.logs)
	fmt.Fprintf(d.options.Out, "  metrics    %s, saved from http://%s/metrics\n", metrics, d.tracker.HTTPAddrs()[0])
	fmt.Fprintf(d.options.Out, "  query set  %s\n", d.config)
	fmt.Fprintf(d.options.Out, "  database   %s\n", d.databaseTitle())
	return nil
}

// programs returns the kinds of clients. The last is nil if it is not installed.
func (d *demo) programs() (library, downloader, daemon program, err error) {
	self, err := selfPath()
	if err != nil {
		return nil, nil, nil, err
	}
	path, err := exec.LookPath("aria2c")
	if err != nil {
		return nil, nil, nil, errors.New("aria2c is not installed; run scripts/install aria2, or install the package aria2")
	}
	if found, err := exec.LookPath("transmission-daemon"); err == nil {
		daemon = transmission{d.launcher, found}
	}
	return anacrolix{d.launcher, self}, aria2{d.launcher, path}, daemon, nil
}

// join starts a member.
func (d *demo) join(ctx context.Context, name, role, protocol string, program program) (*member, error) {
	address := memberAddress(len(d.members))
	port, err := freePort(address.String())
	if err != nil {
		return nil, err
	}
	slug := strings.ReplaceAll(name, " ", "-")
	m := &member{
		name: name, role: role, protocol: protocol, program: program, address: address, port: uint16(port), seed: role == "seeder",
		dir: filepath.Join(d.temp, slug), logPath: filepath.Join(d.logs, slug+".log"), sources: map[string]int64{}, started: time.Now(),
	}
	if err := m.prepare(d.payload, d.announceURL(protocol)); err != nil {
		return nil, err
	}
	d.members = append(d.members, m)
	if err := program.start(ctx, m); err != nil {
		return nil, err
	}
	d.paper.step(d.begin, "%s joins: %s at %s, tracker by %s", name, program.title(), netip.AddrPortFrom(address, m.port), protocol)
	return m, nil
}

// memberAddress gives each member an address of its own, where the machine has more than one for
// loopback, so that everybody is known by it. Elsewhere all share one, and differ by port.
func memberAddress(n int) netip.Addr {
	address := netip.AddrFrom4([4]byte{127, 0, 0, byte(11 + n)})
	probe, err := net.Listen("tcp", netip.AddrPortFrom(address, 0).String())
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	_ = probe.Close()
	return address
}

// leave has a member say goodbye and waits until its row is gone, then ends it.
func (d *demo) leave(ctx context.Context, m *member) error {
	if err := m.program.leave(m); err != nil {
		return fmt.Errorf("stopping %s: %w", m.name, err)
	}
	err := wait(ctx, m.name+" to leave the table of peers", func() (bool, error) {
		row, err := d.row(ctx, m)
		return row == nil, err
	})
	if err != nil {
		return err
	}
	m.left = true
	m.program.stop(m)
	return nil
}

// pollAll asks all present members how far they are.
func (d *demo) pollAll(ctx context.Context) error {
	for _, m := range d.members {
		if m.left {
			continue
		}
		if err := m.poll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// waitRow waits until a member is in the table, in the given role.
func (d *demo) waitRow(ctx context.Context, m *member, seeder bool) error {
	return wait(ctx, m.name+" to be in the table of peers", func() (bool, error) {
		row, err := d.row(ctx, m)
		if err == nil {
			err = d.pollAll(ctx)
		}
		return row != nil && row.Seeder == seeder, err
	})
}

// holds says whether a row stands for the member.
func (m *member) holds(r row) bool { return r.Address == m.address && r.Port == int32(m.port) }

// row returns a member's row; nil if there is none.
func (d *demo) row(ctx context.Context, m *member) (*row, error) {
	rows, err := d.tables.peers(ctx, d.payload.hash[:])
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if m.holds(r) {
			return &r, nil
		}
	}
	return nil, nil
}
