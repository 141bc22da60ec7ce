-- The table of @asherah/metastore-mysql for new installs; every other Asherah implementation reads and writes it too.
-- `created` is UTC, in whole seconds, up to 2038-01-19 03:14:07: the range of TIMESTAMP.
-- Ids are compared by their bytes. Both servers read the comment that is for them: MySQL 8.0.17, MariaDB 10.2.2.
CREATE TABLE IF NOT EXISTS encryption_key (
  id VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!100202 COLLATE utf8mb4_nopad_bin */ NOT NULL,
  created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  key_record TEXT CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (id, created)
);
