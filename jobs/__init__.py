"""What a job is, for everyone who handles one: its states, its tables, its files. No fastapi, celery or torch."""
