"""Dead letters on px.dead-letters: whole, with why, where and the mend, so that they can be replayed."""

from __future__ import annotations

from typing import Final

import msgspec


class Letter(msgspec.Struct, omit_defaults=True):
    """A dead letter. `kind`, `source` and `id` are the message's where it could be read, `raw` its bytes (base64 in
    JSON); `topic`, `partition`, `offset` say which record it was."""

    reason: str
    place: str
    mend: str
    topic: str
    partition: int
    offset: int
    raw: bytes
    kind: str = ""
    source: str = ""
    id: str = ""


write_letter: Final = msgspec.json.Encoder().encode
read_letter: Final = msgspec.json.Decoder(Letter).decode
