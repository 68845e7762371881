"""Data sets that were sent."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="datasets_pk"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="datasets_job_id_fk"),
        sa.UniqueConstraint("job_id", name="datasets_job_id_key"),
    )
    op.create_index("datasets_owner", "datasets", ["owner", "id"])


def downgrade() -> None:
    op.drop_table("datasets")
