"""What is reserved for a file on its way, and until when. Older programs leave both out."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("reserved", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("uploads", sa.Column("expires_at", sa.BigInteger()))
    op.create_index("uploads_owner", "uploads", ["owner", "id"])


def downgrade() -> None:
    op.drop_index("uploads_owner", "uploads")
    op.drop_column("uploads", "expires_at")
    op.drop_column("uploads", "reserved")
