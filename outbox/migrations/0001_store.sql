-- A subscription is one consumer of one topic, and the queue that holds what it
-- has not yet done. Its id is the "queue" of every other table. It is made of the
-- names (see subscription.go), so that nobody has to wait for the transaction
-- that happens to be the first to use a name.
--   function: events published to a function; topic and name are the function's
--   topic:    events of "topic:NAME" for one subscriber. A topic that nobody has
--             subscribed to yet has one with an empty name, which the first
--             subscriber takes over with all it holds
--   trigger:  parked retries of one trigger on a broker; topic and name are the trigger's
--   binding:  messages staged for one binding; topic and name are the binding's
create table {schema}.subscription (
	id         bigint not null,
	kind       text not null check (kind in ('function', 'topic', 'trigger', 'binding')),
	topic      text collate "C" not null,
	name       text collate "C" not null,
	created_at timestamptz not null default now(),
	last_at    timestamptz,
	last_id    text,
	primary key (topic, kind, name)
);
create index subscription_id on {schema}.subscription (id);

-- Names that were used while another transaction was making their subscription.
create table {schema}.newcomer (
	kind  text not null,
	topic text collate "C" not null
);

-- Functions and the like whose subscription was deleted, and who may get events
-- all the same: from transactions that were open by then, or that still trusted in
-- what they had seen (see seen.go).
create table {schema}.leaver (
	queue bigint not null,
	kind  text not null,
	topic text collate "C" not null,
	at    timestamptz not null default now()
);

-- A replica is one running store. Rows that it owns are free again when its
-- lease has ended.
create table {schema}.replica (
	id         int generated always as identity primary key,
	name       text not null,
	queues     bigint[] not null default '{}', -- that it serves
	elsewhere  bigint[] not null default '{}', -- of these, whose dead letters are not kept here
	started_at timestamptz not null default now(),
	expires_at timestamptz not null
);

create sequence {schema}.seq as bigint;

-- A delivery is one event for one subscription that was not tried yet, or is
-- being tried for the first time. It is written once and deleted once: who holds
-- it says the table claim. claims counts the holders that died with it. No row gets
-- its seq before its transaction has an id (see lowwater.go).
create table {schema}.delivery (
	seq        bigint not null default case when pg_current_xact_id() is not null then nextval('{schema}.seq') end,
	created_at timestamptz not null default now(),
	expires_at timestamptz,
	payload_id bigint,
	queue      bigint not null,
	rank       smallint not null,
	claims     smallint not null default 0,
	replayed   bool not null default false,
	key        text collate "C",
	event_id   text collate "C" not null,
	header     jsonb not null,
	data       bytea,
	primary key (queue, rank, seq)
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.05,
	autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_scale_factor = 0.5, vacuum_truncate = off,
	toast.autovacuum_vacuum_cost_delay = 0, toast.vacuum_truncate = off);
create index delivery_key on {schema}.delivery (queue, key, seq) where key is not null;
create index delivery_payload on {schema}.delivery (payload_id) where payload_id is not null;
create index delivery_expiry on {schema}.delivery (expires_at) where expires_at is not null;

-- What a replica holds of the deliveries of a queue: one row, replaced by each
-- cycle of its consumer. top is the highest of seqs, and there so that rows which
-- were replaced, and cannot be removed while a transaction stays open, are not
-- read again (see lowwater.go).
create table {schema}.claim (
	queue   bigint not null,
	top     bigint not null,
	replica int not null,
	at      timestamptz not null default now(),
	seqs    bigint[] not null
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,
	vacuum_truncate = off, toast.autovacuum_vacuum_cost_delay = 0, toast.vacuum_truncate = off);
alter table {schema}.claim alter column seqs set storage external;
create index claim_queue on {schema}.claim (queue, top);

-- The data of an event that has more than one subscriber.
create table {schema}.payload (
	id   bigint generated always as identity primary key,
	data bytea not null
);

-- Events published with After or At, until they are due.
create table {schema}.delayed (
	id         bigint generated always as identity primary key,
	run_at     timestamptz not null,
	created_at timestamptz not null default now(),
	expires_at timestamptz,
	rank       smallint not null,
	topic      text collate "C" not null,
	kind       text not null,
	queue      bigint not null, -- for an event whose topic has no subscription when it is due
	key        text collate "C",
	event_id   text collate "C" not null,
	header     jsonb not null,
	data       bytea
);
create index delayed_due on {schema}.delayed (run_at);

-- What failed and will be tried again, and what waits behind it because it has
-- the same key (run_at = infinity).
create table {schema}.parked (
	seq        bigint not null default nextval('{schema}.seq'),
	run_at     timestamptz not null,
	created_at timestamptz not null default now(),
	expires_at timestamptz,
	first_at   timestamptz,
	last_at    timestamptz,
	payload_id bigint,
	queue      bigint not null,
	owner      int not null default 0,
	attempts   int not null default 0,
	rank       smallint not null,
	claims     smallint not null default 0,
	replayed   bool not null default false,
	key        text collate "C",
	source     text collate "C", -- set on what came from a broker
	event_id   text collate "C" not null,
	body_hash  bytea,            -- likewise
	header     jsonb not null,
	data       bytea,
	error      text,
	stack      text,
	primary key (queue, seq)
) with (fillfactor = 70, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.05, vacuum_truncate = off);
create index parked_due on {schema}.parked (queue, run_at);
create index parked_key on {schema}.parked (queue, key, seq) where key is not null;
create index parked_expiry on {schema}.parked (expires_at) where expires_at is not null;
create index parked_payload on {schema}.parked (payload_id) where payload_id is not null;
create unique index parked_event on {schema}.parked (queue, source, event_id, body_hash) where source is not null;

-- Ids that were published, so that publishing one twice is publishing it once.
create table {schema}.published (
	topic    text collate "C" not null,
	kind     text not null,
	source   text collate "C" not null,
	event_id text collate "C" not null,
	at       timestamptz not null default now(),
	primary key (topic, kind, source, event_id)
);
create index published_at on {schema}.published (at);

-- Events whose effects are committed.
create table {schema}.inbox (
	trigger   text collate "C" not null,
	source    text collate "C" not null,
	event_id  text collate "C" not null,
	body_hash bytea not null,
	at        timestamptz not null default now(),
	primary key (trigger, source, event_id, body_hash)
);
create index inbox_at on {schema}.inbox (at);

-- What cannot be processed, whatever it came from.
create table {schema}.dead (
	id          bigint generated always as identity primary key,
	kind        text not null,              -- of the subscription that a replay hands it to,
	topic       text collate "C" not null,  -- its topic
	name        text collate "C" not null,  -- and its name
	trigger     text collate "C" not null,
	function    text collate "C" not null,
	connection  text not null,
	destination text not null,
	source      text collate "C" not null,
	event_id    text collate "C" not null,
	body_hash   bytea,
	key         text collate "C",
	rank        smallint not null,
	attempts    int not null,
	error       text not null,
	stack       text,
	created_at  timestamptz not null,
	first_at    timestamptz not null,
	last_at     timestamptz not null,
	died_at     timestamptz not null default clock_timestamp(),
	header      jsonb not null,
	data        bytea
);
create index dead_event on {schema}.dead (trigger, source, event_id);
create unique index dead_once on {schema}.dead (trigger, source, event_id, body_hash) where body_hash is not null;
create index dead_died on {schema}.dead (died_at);

-- Calls of functions that are suspected of killing their process: a row is
-- there while such a call runs.
create table {schema}.ledger (
	trigger   text collate "C" not null,
	source    text collate "C" not null,
	event_id  text collate "C" not null,
	kills     int not null,
	at        timestamptz not null default now(),
	primary key (trigger, source, event_id)
);
