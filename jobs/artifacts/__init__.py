"""Where the files of jobs lie. A file is whole before it can be seen, and listed in the database only after that.

base.py         what every store does, and the keys that it takes
local.py        a folder of this machine; local_parts.py: files that come in parts
s3.py           a bucket of S3-compatible storage; s3_parts.py: files that come in parts
s3_client.py    the connection to it, and its errors in our words
factory.py      the store that the settings ask for
copies.py       copies of files into a store and out of it
"""

from __future__ import annotations

from jobs.artifacts.base import ArtifactInfo, ArtifactStore, Part, Parts, Sink, media_type_of
from jobs.artifacts.copies import bring
from jobs.artifacts.factory import open_store

__all__ = ["ArtifactInfo", "ArtifactStore", "Part", "Parts", "Sink", "bring", "media_type_of", "open_store"]
