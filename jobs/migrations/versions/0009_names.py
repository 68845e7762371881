"""What was sent may be named by its name: when it got that, and which names a job's spec stands for.

Programs that do not know the columns leave them empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # no defaults and no constraints: SQLite and PostgreSQL add such columns at once, however many rows there are
    op.add_column("jobs", sa.Column("names", sa.JSON()))
    for table in ("datasets", "models"):
        op.add_column(table, sa.Column("named_at", sa.BigInteger()))


def downgrade() -> None:
    for table in ("models", "datasets"):
        op.drop_column(table, "named_at")
    op.drop_column("jobs", "names")
