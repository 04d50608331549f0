-- Version 1 of the ledger. Times are microseconds since 1970 in UTC.

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,
    took_us INTEGER,
    state TEXT NOT NULL,              -- running, finished, interrupted
    version TEXT NOT NULL,
    command TEXT NOT NULL,            -- JSON
    origin TEXT NOT NULL,             -- JSON
    commit_id TEXT,
    branch TEXT,
    dirty INTEGER NOT NULL,
    nightly INTEGER NOT NULL,
    planned INTEGER NOT NULL,
    passed INTEGER NOT NULL DEFAULT 0,
    inconclusive INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0,
    infra INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    jobs INTEGER NOT NULL DEFAULT 0,
    pruned INTEGER NOT NULL DEFAULT 0 -- whether its events were taken out
);
CREATE INDEX run_by_start ON run(started);
CREATE INDEX run_by_commit ON run(commit_id);
CREATE INDEX run_under_way ON run(id) WHERE state = 'running';

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    dataset TEXT NOT NULL,
    target TEXT NOT NULL,
    UNIQUE (model, dataset, target)
);

-- What made a job's evidence; thousands of jobs share one row.
CREATE TABLE provenance (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    dataset TEXT NOT NULL,
    runner TEXT NOT NULL,
    runner_digest TEXT NOT NULL,
    tflm TEXT NOT NULL,
    core TEXT NOT NULL,
    tool TEXT NOT NULL,
    UNIQUE (model, dataset, runner, runner_digest, tflm, core, tool)
);

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES series(id),
    at INTEGER NOT NULL,
    rerun INTEGER NOT NULL,           -- 0: the first measurement
    simulated INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    fault TEXT,                       -- JSON
    attempts INTEGER NOT NULL,
    samples INTEGER,
    clock TEXT,                       -- JSON
    outputs TEXT,                     -- digest
    provenance INTEGER REFERENCES provenance(id),
    UNIQUE (run, number)
);
-- All that a trend asks of a job, in the order of time: an import may bring older ones later.
CREATE INDEX job_by_series ON job(series, at, id, rerun, run, provenance);
CREATE INDEX job_retried ON job(series, at, id) WHERE attempts > 1;

CREATE TABLE attempt (
    job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    target TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    took_us INTEGER NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE TABLE metric (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE figure (
    job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    metric INTEGER NOT NULL REFERENCES metric(id),
    value REAL NOT NULL,
    PRIMARY KEY (job, metric)
) WITHOUT ROWID;

-- How long the inferences of a job took, in ticks of its clock.
CREATE TABLE histogram (
    job INTEGER PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,
    buckets BLOB NOT NULL             -- HdrHistogram V2, deflated
);

CREATE TABLE scenario (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    feature TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (path, feature, name)
);

CREATE TABLE outcome (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    scenario INTEGER NOT NULL REFERENCES scenario(id),
    line INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    took_us INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    PRIMARY KEY (run, scenario, line)
) WITHOUT ROWID;
CREATE INDEX outcome_by_scenario ON outcome(scenario, run);

-- Never changed, only added to: the newest of a series and metric, by its time, is its baseline. An import may bring older
-- ones later.
CREATE TABLE acceptance (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series(id),
    metric INTEGER NOT NULL REFERENCES metric(id),
    value REAL,
    outputs TEXT,
    run TEXT NOT NULL,
    commit_id TEXT,
    model TEXT NOT NULL,
    dataset TEXT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX acceptance_by_series ON acceptance(series, metric, at, id);
CREATE INDEX acceptance_by_run ON acceptance(run);

-- The run's events as JSON lines, deflated, in the order they came.
CREATE TABLE news (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (run, seq)
);
