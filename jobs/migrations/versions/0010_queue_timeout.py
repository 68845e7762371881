"""How long a job may wait to be begun.

Programs that do not know the column leave it empty: such a job waits for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # no default and no constraint: SQLite and PostgreSQL add such columns at once, however many rows there are
    op.add_column("jobs", sa.Column("queue_ms", sa.BigInteger()))
    # of the jobs that have a limit alone: none, when it is made
    limited = sa.text("queue_ms IS NOT NULL")
    op.create_index("jobs_queue_limit", "jobs", ["state", "queue_ms"], sqlite_where=limited, postgresql_where=limited)


def downgrade() -> None:
    op.drop_index("jobs_queue_limit", "jobs")
    op.drop_column("jobs", "queue_ms")
