-- The table of @asherah/metastore-postgres for new installs; every other Asherah implementation reads and writes it too.
-- `created` is UTC, in whole seconds. Ids are compared by their bytes, and the primary key serves every statement.
-- key_record may be JSON or JSONB as well: asherah-ffi (Rust) needs JSONB.
CREATE TABLE IF NOT EXISTS encryption_key (
  id VARCHAR(255) COLLATE "C" NOT NULL,
  created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  key_record TEXT NOT NULL,
  PRIMARY KEY (id, created)
);
