"""A store whose file was damaged: whatever is asked of it, the answer is a sentence and an exit code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from hub.__main__ import main
from hub.bench.workload import write_lines

COMMANDS = (
    ("alerts", "list", "--format", "ndjson"), ("alerts", "tail", "--no-follow"), ("waits", "list"), ("store", "stats"),
    ("store", "check"), ("events", "show", "--format", "ndjson"), ("dead-letters", "list"), ("doctor",),
)  # fmt: skip
SERVE = ("serve", "--http", "127.0.0.1:0", "--timezone", "UTC")
PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "events.ndjson").write_bytes(b"".join(write_lines(1_000)))
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(folder / "events.ndjson"), "--store", str(folder / "store"), "--format", "ndjson"])
    assert ended.value.code == 0
    return folder / "store"


def ask(command: tuple[str, ...], store: Path) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--store", str(store)])
    return ended.value.code


@pytest.mark.parametrize("seed", range(8))
def test_pages_overwritten_anywhere_end_in_a_sentence(
    whole: Path, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    random = Random(seed)
    with (store / "pxhub.db").open("r+b") as file:
        pages = (store / "pxhub.db").stat().st_size // PAGE
        for _ in range(random.choice((3, 10, pages // 4))):
            file.seek(random.randrange(1, pages) * PAGE + random.randrange(2000))
            file.write(random.randbytes(random.choice((50, 2000))))
    for command in COMMANDS:
        code = ask(command, store)
        out, err = capsys.readouterr()
        assert code in (0, 1, 2), (command, err)
        assert code != 2 or "restore a backup" in err, (command, err)
        assert code != 1 or "damaged" in out or "the file" in out or "alert" in out, (command, out)


def test_a_store_that_lost_its_second_half_is_not_served(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    size = (store / "pxhub.db").stat().st_size // PAGE // 2 * PAGE
    with (store / "pxhub.db").open("r+b") as file:
        file.seek(size)
        file.write(bytes(size))
    assert ask(("store", "check"), store) == 2
    assert "damaged" in capsys.readouterr().err
    assert ask(("store", "backup", str(tmp_path / "copy.db")), store) == 2
    assert "the store is damaged" in capsys.readouterr().err
    assert list(tmp_path.glob("copy.db*")) == []
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hub", *SERVE, "--store", str(store)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "restore a backup" in done.stderr
    assert "Traceback" not in done.stderr
