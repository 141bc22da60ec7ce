-- The table of @asherah/metastore-mssql for new installs. An existing table is used as it is.
-- `created` is UTC, whole seconds. Ids are compared by their UTF-16 units: no two partitions are taken for one.
-- NONCLUSTERED: a clustered key is limited to 900 bytes, a nonclustered one to 1,700.
CREATE TABLE dbo.encryption_key (
  id NVARCHAR(512) COLLATE Latin1_General_100_BIN2 NOT NULL,
  created DATETIME2(3) NOT NULL,
  key_record NVARCHAR(MAX) NOT NULL,
  CONSTRAINT pk_encryption_key PRIMARY KEY NONCLUSTERED (id, created)
);
