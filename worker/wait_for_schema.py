"""Waits for a database schema that this worker can work with: the database may still start, or be upgraded."""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from jobs.database import Database
from jobs.errors import SchemaTooOld

log = logging.getLogger(__name__)
_POLL_SECONDS = 1.0


def wait_for_tables(database: Database) -> None:
    """Returns once the tables have what this worker needs; says what it waits for, once for each reason.

    Raises:
        jobs.errors.SchemaTooNew: they lack what this worker knows: its version is too old for them.
    """
    told = ""
    while True:
        try:
            database.check_tables()
            return
        except SchemaTooOld as error:
            why = str(error)
        except SQLAlchemyError as error:
            why = f"the database is away ({type(error).__name__})"
        if why != told:
            log.warning("waiting: %s", why)
            told = why
        time.sleep(_POLL_SECONDS)
