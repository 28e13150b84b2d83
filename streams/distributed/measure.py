"""The stage `measure`: rates, averages and silences over everything that px.counted tells; it holds no patient.

Its clock is the least that its origins have come to, so nothing is judged before what belongs to it is here. What is
kept is written whole with where it stands, so a start reads no log again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.alert import Alert
from schemas.dead_letter import MEND_ENGINE
from schemas.errors import PxError, Reason
from schemas.event import Event
from schemas.threshold import ThresholdSet
from streams.core.engine import Engine
from streams.core.rate_rows import BucketRow, RateRow, write_buckets, write_rate
from streams.core.rate_rows import note_written as note_rate
from streams.core.silence_rows import HourRow, SilenceRow, has_changed, write_hours, write_silence
from streams.core.silence_rows import note_written as note_silence
from streams.distributed.bounds import MEND_AHEAD, Ahead, check_ahead, check_time, latest, read_place
from streams.distributed.correlate import WriteAlert
from streams.distributed.counting import IDENTIFY, Slice, is_counted, read_slice
from streams.distributed.formats import POSITION, Spoilt
from streams.distributed.kept import OtherThresholds
from streams.distributed.letters import Letter, write_letter
from streams.distributed.names import ALERTS, COUNTED, DEAD_LETTERS, MEASURES
from streams.distributed.reading import last_by_key, read_topic
from streams.distributed.records import Poison, Record
from streams.distributed.stage import Figures
from streams.distributed.transactions import Out, Transactions

ID: Final = "px-measure-0"
FORMAT: Final = 1
_MANY: Final = 1_000  # slices after which what is kept is written in any case
_WEEK: Final = 168
_MEND: Final = "the workers write these records; nobody else must"
_pack: Final = msgspec.msgpack.Encoder().encode


class Position(msgspec.Struct, array_like=True):
    """Where measure stands: the offset that comes next, its clock and those of its origins, spans in which the hub did
    not listen, by which thresholds it judges, and up to where its origins have told it of their own logs."""

    format: int = FORMAT
    next: int = 0
    clock: int = 0
    clocks: dict[int, int] = {}
    away: list[tuple[int, int]] = []
    judged_by: str = ""
    upto: dict[int, int] = {}


class _Rate(msgspec.Struct, array_like=True):
    row: RateRow
    alerts: list[Alert]


class _Silence(msgspec.Struct, array_like=True):
    row: SilenceRow
    alert: Alert | None


class Measuring:
    """px.counted at work, of `origins` partitions and identify."""

    piece: int = 2_000  # the loop may do something else between two

    def __init__(
        self,
        client: Mapping[str, Any],
        thresholds: ThresholdSet,
        name: str,
        partitions: int,
        write_alert: WriteAlert,
        *,
        by_event: bool,
    ) -> None:
        self._client: Mapping[str, Any] = client
        self._made: tuple[ThresholdSet, str] = (thresholds, name)
        self._partitions: int = partitions
        self._by_event: bool = by_event
        self._write_alert: WriteAlert = write_alert
        self.engine: Engine = Engine(thresholds, keeps_all=False)
        self.position: Position = Position(judged_by=name)
        self.alerts: int = 0
        self._letters: list[Letter] = []
        self._apart: dict[int, bytes] = {}  # slices on which the engine failed
        self._written: int = 0  # the offset that what is kept has come to

    @property
    def next(self) -> int:
        return self.position.next

    def open(self) -> tuple[Measuring, Transactions]:
        """Take px.counted from whoever had it, and stand where it stood. Raises TryAgain and NewerFormat."""
        transactions = Transactions(self._client, ID)
        transactions.open()
        self.recover()
        return self, transactions

    def recover(self) -> None:
        self.stand(last_by_key(read_topic(self._client, MEASURES, 0)))

    def stand(self, rows: Mapping[bytes, bytes]) -> None:
        """Stand as the rows of px.measures say. Raises NewerFormat, OtherThresholds and Spoilt."""
        thresholds, name = self._made
        self.engine = engine = Engine(thresholds, keeps_all=False)
        rows = dict(rows)
        self.position = _position(rows.pop(POSITION, None))
        if self.position.next and self.position.judged_by != name:
            raise OtherThresholds(MEASURES)
        self.position.judged_by = name
        engine.advance(self.position.clock)
        for span in self.position.away:
            engine.silences.stay_away(*span)
        try:
            _read_rows(engine, rows)
        except Exception as wrong:  # whatever it is: what was written here can be read
            raise Spoilt(MEASURES) from wrong
        engine.tallies.wake()
        engine.silences.wake()
        engine.take_transitions()
        self._written = self.position.next

    def isolate(self, offset: int, raw: bytes) -> None:
        """Stand as was written last, and go on without a slice; where its origin stands is taken all the same."""
        self._apart[offset] = raw
        self._letters = []
        self.recover()

    def figures(self) -> Figures:
        return Figures(self.position.clock)

    def end(self) -> None:
        """It waits for nothing."""

    async def take(self, records: Sequence[Any], end: int) -> None:
        for record in records:
            if record.offset >= self.position.next:
                try:
                    self._take(record)
                except PxError:
                    raise
                except Exception as wrong:  # a record's edge: whatever it is, the log goes on
                    raise Poison(record.offset) from wrong
        self.position.next = end

    def _take(self, record: Any) -> None:
        raw = record.value or b""
        try:
            told = read_slice(raw)
            self._check(told, record)
        except Ahead:
            ahead = Reason.FROM_THE_FUTURE.value
            self._letters.append(Letter(ahead, "clock", MEND_AHEAD, COUNTED, 0, record.offset, raw))
            return
        except ValueError:
            unread = Reason.UNREADABLE.value
            self._letters.append(Letter(unread, "the record", _MEND, COUNTED, 0, record.offset, raw))
            return
        if record.offset in self._apart:
            self._letters.append(Letter("engine", "the slice", MEND_ENGINE, COUNTED, 0, record.offset, raw))
            told = msgspec.structs.replace(told, counted=[], heard=[], away=[])
        engine, position = self.engine, self.position
        for since, until in told.away:
            engine.silences.stay_away(since, until)
            position.away = [*position.away, (since, until)][-100:]
        for heard in told.heard:
            if heard.accepted:
                engine.hear_of(heard.source, heard.at, heard.facility)
            else:
                engine.hear(heard.source, heard.at)
        for counts, row in told.counted:
            engine.count(Event(*row), counts=counts)
        position.clocks[told.origin] = max(told.clock, position.clocks.get(told.origin, 0))
        position.upto[told.origin] = told.upto
        clocks = [position.clocks.get(origin, 0) for origin in (IDENTIFY, *range(self._partitions))]
        engine.advance(min(clocks))
        position.clock = max(engine.clock, 0)

    def _check(self, told: Slice, record: Record) -> None:
        """Raises ValueError, or Ahead, for a slice of nobody, or one that would run a clock away."""
        if not IDENTIFY <= told.origin < self._partitions:
            raise ValueError("there is no such partition")
        most = latest(record, by_event=self._by_event)
        check_ahead(max(told.clock, 0), most)
        for instant in (*(heard.at for heard in told.heard), *(at for span in told.away for at in span)):
            check_ahead(instant, most)
        for _, row in told.counted:
            check_time(row[3])

    @property
    def counts(self) -> bool:
        """Whether anything is judged here."""
        return is_counted(self._made[0])

    def collect(self, *, idle: bool) -> list[Out]:
        position, changes = self.position, self.engine.take_transitions()
        behind = position.next - self._written
        if not changes and not self._letters and not (behind and (idle or behind > _MANY)):
            return []
        self.alerts += len(changes)
        self._written = position.next
        out = [Out(ALERTS, None, change.alert.id.encode(), self._write_alert(change)) for change in changes]
        out += [Out(DEAD_LETTERS, 0, None, write_letter(letter)) for letter in self._letters]
        self._letters = []
        out += [Out(MEASURES, 0, key, value) for key, value in _write_rows(self.engine)]
        out.append(Out(MEASURES, 0, POSITION, _pack(position)))
        return out


def _position(kept: bytes | None) -> Position:
    if kept is None:
        return Position()
    return read_place(MEASURES, kept, FORMAT, Position, lambda position: (position.clock,))


def _key(kind: str, *parts: object) -> bytes:
    return "\0".join((kind, *map(str, parts))).encode("utf-8", "surrogatepass")


def _write_rows(engine: Engine) -> Iterable[tuple[bytes, bytes | None]]:
    """What changed of rates and silences since it was written."""
    for rate in engine.tallies.rates:
        if not rate.is_changed:
            continue
        name = (rate.plan.id, rate.value)
        yield _key("r", *name), _pack(_Rate(write_rate(rate), list(rate.raised.values())))
        for bucket in write_buckets(rate):
            yield _key("b", *name, int(bucket.above), bucket.step), _pack(bucket)
        note_rate(rate)
    for silence in engine.silences.all():
        if not has_changed(silence):
            continue
        name = (silence.plan.id, silence.source)
        if silence.cleared:
            yield from ((_key("h", *name, hour), None) for hour in range(_WEEK))
        yield _key("s", *name), _pack(_Silence(write_silence(silence), silence.alert))
        for hour in write_hours(silence):
            yield _key("h", *name, hour.hour), _pack(hour)
        note_silence(silence)


def _read_rows(engine: Engine, rows: Mapping[bytes, bytes]) -> None:
    buckets: dict[bytes, list[BucketRow]] = {}
    hours: dict[bytes, list[HourRow]] = {}
    for key, value in rows.items():
        if key[:1] == b"b":
            name = key[1:].rsplit(b"\0", 2)[0]
            buckets.setdefault(name, []).append(msgspec.msgpack.decode(value, type=BucketRow))
        elif key[:1] == b"h":
            hours.setdefault(key[1:].rsplit(b"\0", 1)[0], []).append(msgspec.msgpack.decode(value, type=HourRow))
    for key, value in rows.items():
        if key[:1] == b"r":
            rate = msgspec.msgpack.decode(value, type=_Rate)
            raised = {alert.id: alert for alert in rate.alerts}
            held = sorted(buckets.get(key[1:], []), key=lambda row: (row.step, row.above))
            engine.read_rate(rate.row, held, raised.get)
        elif key[:1] == b"s":
            silence = msgspec.msgpack.decode(value, type=_Silence)
            last = silence.alert
            known = {} if last is None else {last.id: last}
            engine.read_silence(silence.row, hours.get(key[1:], ()), known.get)
