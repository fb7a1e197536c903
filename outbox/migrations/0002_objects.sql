-- The configuration in the store. Its generation is the number of the last
-- change of what the next three tables hold; who changes them locks this row
-- first, so that changes follow one another.
create table {schema}.config (
	one        bool primary key default true check (one),
	generation bigint not null default 0,
	changed_at timestamptz not null default now()
);
insert into {schema}.config default values;

-- An object is one named part of a document, in YAML as it was written. It holds
-- references in place of secrets.
create table {schema}.object (
	kind       text collate "C" not null check (kind in ('bindings', 'connections', 'functions', 'security', 'triggers')),
	name       text collate "C" not null,
	spec       text not null,
	version    bigint not null,
	changed_at timestamptz not null default now(),
	changed_by text not null,
	primary key (kind, name)
);

-- A secret is encrypted with a key of its own (AES-256-GCM, the nonce before the
-- text, the name authenticated with it); that key is encrypted in the same way
-- with a master key, which is not in the database.
create table {schema}.secret (
	name       text collate "C" primary key,
	key_id     text not null, -- of the master key
	key        bytea not null,
	value      bytea not null,
	changed_at timestamptz not null default now(),
	changed_by text not null
);

-- Triggers that an operator paused, on all replicas.
create table {schema}.pause (
	trigger    text collate "C" primary key,
	changed_at timestamptz not null default now(),
	changed_by text not null
);

-- Who changed what. Nothing in it is a secret, and nothing of it is ever changed.
create table {schema}.audit (
	id         bigint generated always as identity primary key,
	at         timestamptz not null default clock_timestamp(),
	actor      text not null,
	role       text not null,
	action     text not null,
	kind       text collate "C" not null,
	name       text collate "C" not null,
	generation bigint not null,
	before     text,
	after      text
);
create index audit_object on {schema}.audit (kind, name, id);

-- The generation that a replica runs, and why it does not run the last one.
alter table {schema}.replica add column generation bigint not null default 0;
alter table {schema}.replica add column refused text not null default '';
