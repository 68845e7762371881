"""How the tables came to be what they are: one revision a file in `versions/`, the same for SQLite and PostgreSQL.

To change a table: change `jobs/models.py`, add `versions/NNNN_what.py` after the example of the newest one (`revision`
is the file's number), and run the tests; they compare what the revisions make with the models, on both databases.
"""
