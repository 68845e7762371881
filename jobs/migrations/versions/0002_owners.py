"""Owners, priorities, retention, logs and webhooks."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FIRST_OWNER = "local"  # of all jobs from before there were owners


def upgrade() -> None:
    _extend_jobs()
    _key_by_owner()
    op.create_table(
        "owners",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("served_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="owners_pk"),
    )
    op.execute("INSERT INTO owners (name) SELECT DISTINCT owner FROM jobs")
    _create_logs()
    _create_deliveries()


def downgrade() -> None:
    for table in ("deliveries", "job_logs", "owners"):
        op.drop_table(table)
    _key_for_all()
    for name in ("jobs_queue", "jobs_owner", "jobs_finished", "jobs_expires", "jobs_retry_of"):
        op.drop_index(name, "jobs")
    for name in ("owner", "rank", "keep_seconds", "planned_epochs", "expires_at", "claimed_at", "ran_ms", "retry_of"):
        op.drop_column("jobs", name)
    op.add_column("jobs", sa.Column("rung_at", sa.BigInteger()))
    op.create_index("jobs_state_rung", "jobs", ["state", "rung_at", "id"])


def _extend_jobs() -> None:
    op.add_column("jobs", sa.Column("owner", sa.String(100), nullable=False, server_default=_FIRST_OWNER))
    op.add_column("jobs", sa.Column("rank", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("keep_seconds", sa.BigInteger()))
    op.add_column("jobs", sa.Column("planned_epochs", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("expires_at", sa.BigInteger()))
    op.add_column("jobs", sa.Column("claimed_at", sa.BigInteger()))
    op.add_column("jobs", sa.Column("ran_ms", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("retry_of", sa.String(40)))
    op.drop_index("jobs_state_rung", "jobs")
    op.drop_column("jobs", "rung_at")
    op.create_index("jobs_queue", "jobs", ["state", "owner", "device", "rank", "id"])
    op.create_index("jobs_owner", "jobs", ["owner", "id"])
    op.create_index("jobs_finished", "jobs", ["finished_at"])
    op.create_index("jobs_expires", "jobs", ["expires_at"])
    op.create_index("jobs_retry_of", "jobs", ["retry_of"], unique=True)


def _key_by_owner() -> None:
    """Two owners may use the same idempotency key."""
    _replace_keys(
        [sa.Column("owner", sa.String(100), nullable=False)],
        ["owner", "key"],
        "INSERT INTO idempotency_keys (owner, key, body_sha256, job_id, created_at) "
        f"SELECT '{_FIRST_OWNER}', key, body_sha256, job_id, created_at FROM old_keys",
    )


def _key_for_all() -> None:
    """Of a key that several owners use, the first one's stays."""
    _replace_keys(
        [],
        ["key"],
        "INSERT INTO idempotency_keys (key, body_sha256, job_id, created_at) "
        "SELECT key, body_sha256, job_id, created_at FROM old_keys AS one WHERE NOT EXISTS "
        "(SELECT 1 FROM old_keys AS other WHERE other.key = one.key AND other.owner < one.owner)",
    )


def _replace_keys(more: Sequence[sa.Column[str]], primary: Sequence[str], copy: str) -> None:
    """A new table and a copy: SQLite cannot change a primary key."""
    op.rename_table("idempotency_keys", "old_keys")
    op.drop_index("idempotency_keys_job_id", "old_keys")
    if op.get_bind().dialect.name == "postgresql":  # whose names of constraints are those of the whole schema
        op.drop_constraint("idempotency_keys_pk", "old_keys", type_="primary")
        op.drop_constraint("idempotency_keys_job_id_fk", "old_keys", type_="foreignkey")
    op.create_table(
        "idempotency_keys",
        *more,
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*primary, name="idempotency_keys_pk"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="idempotency_keys_job_id_fk", ondelete="CASCADE"),
    )
    op.execute(copy)
    op.drop_table("old_keys")
    op.create_index("idempotency_keys_job_id", "idempotency_keys", ["job_id"])


def _create_logs() -> None:
    op.create_table(
        "job_logs",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "seq", name="job_logs_pk"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="job_logs_job_id_fk", ondelete="CASCADE"),
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="deliveries_pk"),
    )
    op.create_index("deliveries_state_due", "deliveries", ["state", "due_at"])
    op.create_index("deliveries_settled", "deliveries", ["settled_at"])
    op.create_index("deliveries_job_id", "deliveries", ["job_id"])
