"""What Alembic runs to reach the database; `upgrade.py` gives it the connection and owns the transaction."""

from __future__ import annotations

from alembic import context

from jobs.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most things of a table in place
    transactional_ddl=True,  # false by default on SQLite, where jobs/database.py makes it true
)
with context.begin_transaction():
    context.run_migrations()
