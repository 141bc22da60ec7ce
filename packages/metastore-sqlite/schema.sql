-- The table of @asherah/metastore-sqlite for new installs; asherah-ffi (Rust) makes and reads the same one.
-- `created` is UTC text of whole seconds: YYYY-MM-DD HH:MM:SS.
CREATE TABLE IF NOT EXISTS encryption_key (
  id TEXT NOT NULL,
  created TIMESTAMP NOT NULL,
  key_record TEXT NOT NULL,
  PRIMARY KEY (id, created)
);
