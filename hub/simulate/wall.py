"""Seconds since the epoch to what a clock on the clinic's wall shows, as HL7 writes it."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400

# No zone changes its offset within a quarter of an hour that starts on a round clock time.
_QUARTER: Final = 900


class Wall:
    """The wall clock of one zone. `zone` is an IANA name; an unknown one raises `ZoneInfoNotFoundError`."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._offset_by_quarter: dict[int, int] = {}

    def at(self, day: date, minute: int = 0) -> int:
        """The instant at `minute` minutes after midnight, by the wall clock of `day`."""
        whole, rest = divmod(minute, 1440)
        shown = datetime.combine(day + timedelta(days=whole), datetime.min.time(), self.zone)
        return int(shown.replace(hour=rest // 60, minute=rest % 60).timestamp())

    def day(self, at: int) -> date:
        shown = time.gmtime(at + self._offset(at))
        return date(shown.tm_year, shown.tm_mon, shown.tm_mday)

    def minute(self, at: int) -> int:
        """Minutes since midnight by the wall clock."""
        return (at + self._offset(at)) % DAY // 60

    def stamp(self, at: int) -> str:
        """`YYYYMMDDHHMMSS`, without an offset: the site file names the zone."""
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(at + self._offset(at)))

    def stamp_with_offset(self, at: int) -> str:
        """`YYYYMMDDHHMMSS+ZZZZ`, for the systems that say where they stand."""
        offset = self._offset(at)
        hours, minutes = divmod(abs(offset) // 60, 60)
        return f"{self.stamp(at)}{'-' if offset < 0 else '+'}{hours:02}{minutes:02}"

    def _offset(self, at: int) -> int:
        quarter = at // _QUARTER
        offset = self._offset_by_quarter.get(quarter)
        if offset is None:
            shown = datetime.fromtimestamp(quarter * _QUARTER, self.zone).utcoffset()
            offset = int(shown.total_seconds()) if shown is not None else 0
            if len(self._offset_by_quarter) > 4096:
                self._offset_by_quarter.clear()
            self._offset_by_quarter[quarter] = offset
        return offset
