CREATE TABLE hashes (
	hash bytea PRIMARY KEY,
	identifier text NOT NULL UNIQUE,
	motion_identifier text,
	blurhash text,
	created_at timestamptz NOT NULL
);
CREATE INDEX ON hashes (created_at, hash);
CREATE TABLE variants (
	hash bytea REFERENCES hashes,
	variant text,
	identifier text NOT NULL,
	PRIMARY KEY (hash, variant)
);
CREATE TABLE variant_access (
	hash bytea,
	variant text,
	accessed timestamptz NOT NULL,
	PRIMARY KEY (hash, variant)
);
CREATE TABLE aliases (
	alias text PRIMARY KEY,
	hash bytea NOT NULL REFERENCES hashes,
	token text
);
CREATE INDEX ON aliases (hash);
CREATE TABLE alias_access (
	alias text PRIMARY KEY,
	accessed timestamptz NOT NULL
);
CREATE TABLE proxies (
	url text PRIMARY KEY,
	alias text NOT NULL REFERENCES aliases
);
CREATE TABLE details (
	identifier text PRIMARY KEY,
	json jsonb NOT NULL
);
CREATE TABLE settings (
	key text PRIMARY KEY,
	value bytea NOT NULL
);
CREATE TABLE jobs (
	id uuid PRIMARY KEY,
	queue text NOT NULL,
	job jsonb NOT NULL,
	unique_key text UNIQUE,
	worker uuid,
	retry int NOT NULL,
	queue_time timestamptz NOT NULL,
	heartbeat timestamptz
);
CREATE TABLE notifications (queue text, payload text);
CREATE TABLE moves (
	old_identifier text PRIMARY KEY,
	new_identifier text NOT NULL
);
