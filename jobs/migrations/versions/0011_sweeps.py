"""Which jobs are sweeps, and the metrics of their trials' epochs.

Programs that do not know them leave both empty: none of them makes a sweep or runs one.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("kind", sa.String(32)))
    # of jobs that are no distillation alone
    other = sa.text("kind IS NOT NULL")
    op.create_index("jobs_kind", "jobs", ["kind", "id"], sqlite_where=other, postgresql_where=other)
    op.create_table(
        "trial_metrics",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("trial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("repeat", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE", name="trial_metrics_job_id_fk"),
        sa.PrimaryKeyConstraint("job_id", "phase", "trial", "repeat", "epoch", name="trial_metrics_pk"),
    )


def downgrade() -> None:
    op.drop_table("trial_metrics")
    op.drop_index("jobs_kind", "jobs")
    op.drop_column("jobs", "kind")
