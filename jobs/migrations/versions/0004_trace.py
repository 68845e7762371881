"""The trace that a job belongs to, as it was posted. Programs that do not know the columns leave them empty."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # no default and no constraint: SQLite and PostgreSQL add such columns at once, however many rows there are
    op.add_column("jobs", sa.Column("traceparent", sa.String(55)))
    op.add_column("jobs", sa.Column("tracestate", sa.String(512)))


def downgrade() -> None:
    op.drop_column("jobs", "tracestate")
    op.drop_column("jobs", "traceparent")
