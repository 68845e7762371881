"""What can go wrong before the service runs. The message is written for the person at the terminal.

StandaloneError
├── CannotStart      a port, a folder or a program is not as it must be
├── DemoFailed       the demo's job did not end as it should
└── Stopped          asked to stop by a signal
"""

from __future__ import annotations


class StandaloneError(Exception):
    """Base of the errors of this room."""


class CannotStart(StandaloneError):
    pass


class DemoFailed(StandaloneError):
    pass


class Stopped(StandaloneError):
    pass
