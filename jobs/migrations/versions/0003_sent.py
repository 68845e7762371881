"""What was sent, or is on its way: data sets, networks, files in parts."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    _create("datasets")
    _create("models", sa.Column("role", sa.String(16)))
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="uploads_pk"),
    )


def downgrade() -> None:
    for table in ("uploads", "models", "datasets"):
        op.drop_table(table)


def _create(table: str, *more: sa.Column[str]) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        *more,
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"{table}_pk"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=f"{table}_job_id_fk"),
    )
    op.create_index(f"{table}_owner", table, ["owner", "id"])
    op.create_index(f"{table}_job_id", table, ["job_id"])
