"""The HTTP side: validates, records, shows, serves files. Never imports torch; start at `app/create.py`."""
