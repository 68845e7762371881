"""What is to be looked at in a job's spec.

Programs that do not know the column leave it empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # no default and no constraint: SQLite and PostgreSQL add such columns at once, however many rows there are
    op.add_column("jobs", sa.Column("warnings", sa.JSON()))


def downgrade() -> None:
    op.drop_column("jobs", "warnings")
