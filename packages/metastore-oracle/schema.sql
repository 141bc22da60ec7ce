-- The table of @asherah/metastore-oracle for new installs. An existing table is used as it is.
-- `created` is UTC, whole seconds, without a zone of its own.
CREATE TABLE encryption_key (
  id VARCHAR2(255) NOT NULL,
  created TIMESTAMP DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL,
  key_record CLOB NOT NULL,
  CONSTRAINT pk_encryption_key PRIMARY KEY (id, created)
);
