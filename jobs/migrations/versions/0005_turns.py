"""Which host a message goes to, and that somebody is delivering it. Older programs leave both out."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # messages from before have no host: of one owner few of them go out at once
    op.add_column("deliveries", sa.Column("host", sa.String(255), nullable=False, server_default=sa.text("''")))
    op.add_column("deliveries", sa.Column("taken_until", sa.BigInteger()))
    op.create_index("deliveries_turn", "deliveries", ["state", "owner", "due_at", "id", "host"])
    op.create_index("deliveries_taken", "deliveries", ["taken_until"])


def downgrade() -> None:
    op.drop_index("deliveries_taken", "deliveries")
    op.drop_index("deliveries_turn", "deliveries")
    op.drop_column("deliveries", "taken_until")
    op.drop_column("deliveries", "host")
