-- +goose Up

-- Keys and sealed values. expires is in nanoseconds since 1970; NULL is never.
CREATE TABLE IF NOT EXISTS jotgate_kv (
    k       BYTEA NOT NULL PRIMARY KEY,
    v       BYTEA NOT NULL,
    expires BIGINT
);
CREATE INDEX IF NOT EXISTS jotgate_kv_expires ON jotgate_kv (expires) WHERE expires IS NOT NULL;

-- The nodes that write. seen is in microseconds since 1970, by the database's clock.
CREATE TABLE IF NOT EXISTS jotgate_nodes (
    node BIGINT NOT NULL PRIMARY KEY,
    seen BIGINT NOT NULL
);

-- What each node changed, numbered by the node. Every number up to low was
-- decided, kept or not, before the row was written.
CREATE TABLE IF NOT EXISTS jotgate_changes (
    node BIGINT NOT NULL,
    seq  BIGINT NOT NULL,
    low  BIGINT NOT NULL,
    ks   BYTEA,
    PRIMARY KEY (node, seq)
);

-- +goose Down

DROP TABLE jotgate_changes;
DROP TABLE jotgate_nodes;
DROP TABLE jotgate_kv;
