"""What a client may lack. A scenario leaves it out, or goes another way, and the table of clients is marked so."""

from __future__ import annotations

NULL_HEADER_VALUES = "null header values"
EMPTY_RECORDS = "records with neither key nor value"
EMPTY_VALUES = "empty values"
STATIC_MEMBERS = "static members"
ACKNOWLEDGEMENTS = "acknowledgements"
IDEMPOTENCE = "idempotence"
RETRIES = "retries"
COMPRESSIONS = "compressions"
READING_ALONE = "reading without a group"
LATE_TIMES = "times after the last record"
CREATING_TOPICS = "creating topics"
TIMESTAMPS = "timestamps"
COMMITTING = "committing when told"
