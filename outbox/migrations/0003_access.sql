-- Who may use the management API and the dashboard.
create table {schema}.account (
	name         text collate "C" primary key,
	role         text not null check (role in ('viewer', 'operator', 'admin')),
	password     text not null, -- hashed, in PHC form
	created_at   timestamptz not null default now(),
	signed_in_at timestamptz
);

-- A token is kept as its SHA-256: it is random, so that no more is needed.
create table {schema}.token (
	name       text collate "C" primary key,
	hash       bytea not null unique,
	role       text not null check (role in ('viewer', 'operator', 'admin')),
	created_at timestamptz not null default now(),
	created_by text not null,
	expires_at timestamptz,
	used_at    timestamptz
);

-- A session is what the cookie of a browser stands for, or the one-time link that
-- leads to one. The role of one that an account has is the account's.
create table {schema}.session (
	hash       bytea primary key,
	kind       text not null,
	name       text collate "C" not null,
	account    text collate "C" references {schema}.account on delete cascade,
	role       text not null check (role in ('viewer', 'operator', 'admin')),
	created_at timestamptz not null default now(),
	seen_at    timestamptz not null default now(),
	expires_at timestamptz not null
);
create index session_account on {schema}.session (account);
