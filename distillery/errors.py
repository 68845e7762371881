"""What a client of the service raises."""

from __future__ import annotations


class RequestFailed(Exception):
    """The service refused a request, or did not answer, or a file was not what it was to be. The message says which."""
