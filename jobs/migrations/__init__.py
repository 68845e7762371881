"""How the tables came to be what they are: one revision a file in `versions/`, the same for SQLite and PostgreSQL.

`python -m jobs.migrations upgrade | downgrade REVISION | current` is for whoever runs the service.

To change a table, by the rules of CONTRIBUTING.md: change `jobs/tables.py`, add `versions/NNNN_what.py` after the
example of the newest one (`revision` is the file's number), and run the tests; they compare what the revisions make
with the models, on both databases.
"""
