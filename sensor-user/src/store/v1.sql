-- Version 1 of the store. Times are seconds since 1970 (UTC) unless the name says nanoseconds (_ns).
-- Numbers of class, kind, family, tool and level are those of docs/store.md.

-- What the store is. One row.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store BLOB NOT NULL CHECK (length(store) = 16),  -- random, drawn when the store was made
  created INTEGER NOT NULL,
  time_zone TEXT NOT NULL,                         -- IANA name; days are cut in it
  sketch_key INTEGER NOT NULL                      -- fingerprint of the key, which is kept outside
) STRICT;

-- A sensor as it was defined from one time to another. A changed definition is a new row.
CREATE TABLE sensor (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  alias TEXT,                                      -- the name that publications use
  role TEXT NOT NULL,                              -- dark, lit, honeypot
  sensor_group TEXT,
  prefixes TEXT NOT NULL,                          -- separated by spaces; empty: everything
  addresses INTEGER,                               -- IPv4 addresses that are watched; NULL: not known
  filtered TEXT NOT NULL,                          -- services that never arrive: 25/tcp 445/tcp
  valid_from INTEGER,                              -- NULL: of captures, whose times nobody told
  valid_to INTEGER                                 -- NULL: in use, if there is a valid_from
) STRICT;
CREATE INDEX sensor_by_name ON sensor (name);

-- One load of the program into the kernel, or one capture that was read.
CREATE TABLE generation (
  id INTEGER PRIMARY KEY,
  host TEXT NOT NULL,
  generation BLOB NOT NULL UNIQUE CHECK (length(generation) = 16),
  origin TEXT NOT NULL CHECK (origin IN ('live', 'replay')),
  created INTEGER NOT NULL,
  v4_prefix INTEGER NOT NULL,                      -- bits to which sources were cut
  v6_prefix INTEGER NOT NULL,
  last_epoch INTEGER,                              -- NULL: none kept yet
  frames INTEGER NOT NULL DEFAULT 0,               -- of all epochs up to last_epoch
  packets INTEGER NOT NULL DEFAULT 0,
  uncounted INTEGER NOT NULL DEFAULT 0,            -- frames without a counter
  complete INTEGER NOT NULL                        -- 0: a capture that is still being read; not folded
) STRICT;

-- Which sensor a number in the tallies of a generation is.
CREATE TABLE generation_sensor (
  generation INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  sensor INTEGER NOT NULL REFERENCES sensor (id),
  PRIMARY KEY (generation, number)
) STRICT, WITHOUT ROWID;

-- Counters of the network cards, as of a generation's last epoch.
CREATE TABLE interface (
  generation INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  received INTEGER NOT NULL,
  dropped INTEGER NOT NULL,
  PRIMARY KEY (generation, name)
) STRICT, WITHOUT ROWID;

-- What was drained from the kernel: each epoch of a generation once.
CREATE TABLE epoch (
  id INTEGER PRIMARY KEY,
  generation INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL,
  observed_ns INTEGER NOT NULL,                    -- of that time, how long packets could arrive
  restarted INTEGER NOT NULL,                      -- 1: the agent's first since it started
  frames INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  nic_received INTEGER,                            -- by the cards' own counters; NULL: not known
  nic_dropped INTEGER,
  tallies BLOB,                                    -- NULL: folded
  UNIQUE (generation, epoch)
) STRICT;
CREATE INDEX epoch_to_fold ON epoch (id) WHERE tallies IS NOT NULL;

-- Stretches of time that rows are kept for, and the quality of their data.
CREATE TABLE span (
  id INTEGER PRIMARY KEY,
  level INTEGER NOT NULL,                          -- 0 hour, 1 day, 2 coarse: an epoch longer than its hour
  start INTEGER NOT NULL,
  seconds INTEGER NOT NULL,
  observed_ns INTEGER NOT NULL DEFAULT 0,
  frames INTEGER NOT NULL DEFAULT 0,
  non_ip INTEGER NOT NULL DEFAULT 0,
  malformed INTEGER NOT NULL DEFAULT 0,
  unwatched INTEGER NOT NULL DEFAULT 0,
  local INTEGER NOT NULL DEFAULT 0,
  packets INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,                 -- packets without joint detail; they are among packets
  uncounted INTEGER NOT NULL DEFAULT 0,
  mismatches INTEGER NOT NULL DEFAULT 0,           -- accounting identities that did not hold
  nic_received INTEGER,
  nic_dropped INTEGER,
  restarts INTEGER NOT NULL DEFAULT 0,
  cut INTEGER NOT NULL DEFAULT 0,                  -- bit c: cube c holds rows `other`
  UNIQUE (start, level, seconds)
) STRICT;

-- How long a sensor watched within a span.
CREATE TABLE span_sensor (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  sensor INTEGER NOT NULL REFERENCES sensor (id),
  observed_ns INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (span, sensor)
) STRICT, WITHOUT ROWID;

-- Databases of regions and autonomous systems that were in use.
CREATE TABLE database (
  id INTEGER PRIMARY KEY,
  role TEXT NOT NULL,                              -- country, asn
  type TEXT NOT NULL,
  built INTEGER,                                   -- NULL: it does not say
  UNIQUE (role, type, built)
) STRICT;
CREATE TABLE span_database (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  database INTEGER NOT NULL REFERENCES database (id),
  PRIMARY KEY (span, database)
) STRICT, WITHOUT ROWID;

-- Cubes. Everywhere: sensor 0 and family 0 where they were lost with the source; `sources` is a
-- sketch of the sources, NULL where none is known. A row of port -1, region `other`, asn -1 or
-- prefix -1 holds what a bound cut. asn 0 is an unknown autonomous system.
CREATE TABLE total (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, class, kind, family, sensor)
) STRICT, WITHOUT ROWID;
CREATE TABLE port_region (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  region TEXT NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, class, kind, port, region, family, sensor)
) STRICT, WITHOUT ROWID;
CREATE TABLE port_tool (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  tool INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, class, kind, port, tool, family, sensor)
) STRICT, WITHOUT ROWID;
CREATE TABLE region_asn (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  region TEXT NOT NULL,
  asn INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, class, kind, region, asn, family, sensor)
) STRICT, WITHOUT ROWID;
CREATE TABLE region_tool (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  region TEXT NOT NULL,
  tool INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, class, kind, region, tool, family, sensor)
) STRICT, WITHOUT ROWID;
-- Of days only: the prefixes (/24, /48) with the most packets on the ports that matter that day.
CREATE TABLE port_prefix (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  prefix INTEGER NOT NULL,                         -- upper 24 or 48 bits of the address
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, class, kind, port, prefix, family, sensor)
) STRICT, WITHOUT ROWID;

-- Prefixes that hit many ports in a day (survey scanners), and how many: of all sensors together that
-- are dark or honeypots, so there is no column of the sensor.
CREATE TABLE survey (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  prefix INTEGER NOT NULL,
  family INTEGER NOT NULL,
  ports INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (span, prefix, family)
) STRICT, WITHOUT ROWID;
-- Sources whose backscatter came to a sensor in bursts in a day: victims of attacks with forged sources.
-- Of sensors that are dark or honeypots only: hosts in use are answered for what they ask.
CREATE TABLE victim (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  source INTEGER NOT NULL,                         -- as in a key; two's complement beyond 2^63
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  minutes INTEGER NOT NULL,                        -- minutes with packets
  first INTEGER NOT NULL,                          -- start of the first minute
  last INTEGER NOT NULL,                           -- start of the last one
  peak INTEGER NOT NULL,                           -- packets of the busiest minute
  moore INTEGER NOT NULL,                          -- 1: by Moore's thresholds, too
  PRIMARY KEY (span, source, kind, port, family, sensor)
) STRICT, WITHOUT ROWID;

-- Of days that are not closed yet, by the day's start: what the three tables above are made of.
CREATE TABLE open_prefix (
  day INTEGER NOT NULL,
  class INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  prefix INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  sources BLOB,
  PRIMARY KEY (day, prefix, class, kind, port, family, sensor)
) STRICT, WITHOUT ROWID;
CREATE TABLE open_backscatter (
  minute INTEGER NOT NULL,                         -- its start
  source INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  family INTEGER NOT NULL,
  sensor INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (minute, source, kind, port, family, sensor)
) STRICT, WITHOUT ROWID;
