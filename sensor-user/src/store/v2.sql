-- Version 2 of the store: what survey scanners sent, and whence the prefixes are.

-- Of days: the version by which their lists were made. Those of version 1 have no rows in the tables
-- below, and no regions in port_prefix.
ALTER TABLE span ADD COLUMN lists INTEGER NOT NULL DEFAULT 1;

-- The region of the prefix's first address, by the database in use when the day was closed.
ALTER TABLE port_prefix ADD COLUMN region TEXT;

-- Scan packets of the prefixes that are in `survey`, at sensors that are dark or honeypots.
CREATE TABLE survey_port (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  port INTEGER NOT NULL,
  family INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (span, kind, port, family)
) STRICT, WITHOUT ROWID;
-- The same by region: that of the prefix's first address.
CREATE TABLE survey_region (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  region TEXT NOT NULL,
  family INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (span, region, family)
) STRICT, WITHOUT ROWID;

-- The prefixes with the most scan packets of each region, of all services and sensors together.
CREATE TABLE region_prefix (
  span INTEGER NOT NULL REFERENCES span (id) ON DELETE CASCADE,
  region TEXT NOT NULL,
  prefix INTEGER NOT NULL,                         -- upper 24 or 48 bits of the address
  family INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (span, region, prefix, family)
) STRICT, WITHOUT ROWID;
