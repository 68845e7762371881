"""Jobs that no longer get on, ends that only newer programs know by name, and workers that take no job for now.

Programs that do not know the columns leave them empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # no default and no constraint: SQLite and PostgreSQL add such columns at once, however many rows there are
    op.add_column("jobs", sa.Column("stalled_since", sa.BigInteger()))
    op.add_column("jobs", sa.Column("end_cause", sa.String(32)))
    op.add_column("workers", sa.Column("lacks", sa.String(200)))


def downgrade() -> None:
    op.drop_column("workers", "lacks")
    op.drop_column("jobs", "end_cause")
    op.drop_column("jobs", "stalled_since")
