"""A sound data directory is all ok; each weakness is named, with what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine, insert, update

from gateway.adapters import tables
from gateway.adapters.selfcheck import Level, check, run_check
from gateway.adapters.sql import DATABASE_NAME
from tests.unit.store.records import SECOND

NOW = 1_800_000_000 * SECOND
CONF = """
listen: "127.0.0.1:4222"
http: "127.0.0.1:8222"
jetstream { store_dir: "js", sync_interval: "always", max_file_store: 17179869184 }
mqtt { listen: "127.0.0.1:1883", ack_wait: "30s" }
"""


HOOK = 'via = "webhook"\nurl = "https://sms.example.org/"\nsecret_file = "hook.key"\n'
NOTIFY = f'[channel.sms]\npurpose = "sms"\n{HOOK}'
WATCH = f"[channel.oncall]\n{HOOK}"


@pytest.fixture
def sound(data_dir: Path, engine: Engine) -> Path:
    """A data directory nothing is wrong with."""
    data_dir.chmod(0o700)
    (data_dir / "nats.conf").write_text(CONF)
    (data_dir / "lastmile.toml").write_text("[retention]\nbytes = 1000000\n")
    (data_dir / "hook.key").write_text("whsec_" + "QUJD" * 8)
    (data_dir / "notify.toml").write_text(NOTIFY)
    (data_dir / "watch.toml").write_text(WATCH)
    add_account(engine)
    return data_dir


def add_account(engine: Engine, name: str = "chief", password: str = "$argon2id$x") -> None:
    values = {"name": name, "password_hash": password, "role": "admin", "sites": "[]", "created_at": 0}
    with engine.begin() as connection:
        connection.execute(insert(tables.account).values(values))


def weak(data_dir: Path, now: int = NOW) -> list[tuple[Level, str, str]]:
    return [(f.level, f.subject, f.text) for f in check(data_dir, now) if f.level is not Level.OK]


def write(name: str, text: str) -> Callable[[Path, Engine], None]:
    def plant(data_dir: Path, _: Engine) -> None:
        (data_dir / name).write_text(text)

    return plant


def conf(old: str, new: str) -> Callable[[Path, Engine], None]:
    assert old in CONF
    return write("nats.conf", CONF.replace(old, new))


def execute(statement: str) -> Callable[[Path, Engine], None]:
    def plant(_: Path, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)

    return plant


def one_time(_: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(tables.account).values(password_hash="one-time:$argon2id$x"))


def demo_login(_: Path, engine: Engine) -> None:
    add_account(engine, "demo")


def nobody(_: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(tables.account.delete())


def open_secrets(data_dir: Path, _: Engine) -> None:
    data_dir.chmod(0o755)
    (data_dir / "nats.conf").chmod(0o644)


def no_conf(data_dir: Path, _: Engine) -> None:
    (data_dir / "nats.conf").unlink()


WEAKNESSES: dict[str, tuple[Level, str, str, Callable[[Path, Engine], None]]] = {
    "old schema": (Level.BAD, "schema", "migrate", execute("UPDATE alembic_version SET version_num = '0000'")),
    "log not synced": (Level.WEAK, "broker", "sync_interval 2m", conf('"always"', '"2m"')),
    "log unbounded": (Level.WEAK, "broker", "broker.log_bytes", conf(", max_file_store: 17179869184", "")),
    "no broker": (Level.WEAK, "broker", "does not exist", no_conf),
    "open NATS": (Level.BAD, "broker", "0.0.0.0:4222", conf("127.0.0.1:4222", "0.0.0.0:4222")),
    "open MQTT": (
        Level.BAD,
        "broker",
        "[::]:1883 beyond this machine, and broker and agents speak without TLS",
        conf("127.0.0.1:1883", "[::]:1883"),
    ),
    "open monitor": (Level.BAD, "broker", "8222", conf('"127.0.0.1:8222"', "8222")),
    "open web": (Level.WEAK, "web", "0.0.0.0", write("lastmile.toml", '[retention]\nbytes=9\n[http]\nhost="0.0.0.0"')),
    "readable secrets": (Level.BAD, "files", "nats.conf", open_secrets),
    "disk too small": (Level.WEAK, "disk", "lower", write("lastmile.toml", f"[retention]\nbytes = {1 << 60}")),
    "no budget": (Level.WEAK, "retention", "budget", write("lastmile.toml", "[retention]\nbytes = 0")),
    "for ever": (Level.WEAK, "retention", "ever", write("lastmile.toml", "[retention]\nbytes=9\nwaveform_days=0")),
    "no account": (Level.WEAK, "accounts", "none", nobody),
    "one-time secret": (Level.WEAK, "accounts", "one-time", one_time),
    "demo login": (Level.WEAK, "accounts", "demo", demo_login),
    "nobody is called": (Level.WEAK, "notify", "no channel", write("notify.toml", "")),
    "nobody watches": (Level.WEAK, "watch", "nobody is told", write("watch.toml", 'language = "en"')),
    "bad settings": (Level.BAD, "settings", "bytes", write("lastmile.toml", '[retention]\nbytes = "many"')),
}


def test_a_sound_directory(sound: Path) -> None:
    assert weak(sound) == []
    assert {f.subject for f in check(sound, NOW)} == {
        "schema", "database", "broker", "web", "files", "disk", "retention", "accounts", "notify", "watch", "clock",
    }  # fmt: skip


@pytest.mark.parametrize("name", WEAKNESSES)
def test_a_weakness_is_named(sound: Path, engine: Engine, name: str) -> None:
    level, subject, word, plant = WEAKNESSES[name]
    plant(sound, engine)
    found = [one for one in weak(sound) if one[:2] == (level, subject)]
    assert found
    assert any(word in text for *_, text in found)


def test_a_clock_behind_the_newest_record(sound: Path, engine: Engine) -> None:
    lane = {"unit": "amb-001", "epoch": "0" * 16, "lane": "obs", "next": 1, "seen_at": NOW}
    with engine.begin() as connection:
        connection.execute(insert(tables.lane).values(lane))
    assert weak(sound, NOW - 30 * SECOND) == []
    assert [subject for _, subject, _ in weak(sound, NOW - 90 * SECOND)] == ["clock"]
    assert [subject for _, subject, _ in weak(sound, 0)] == ["clock"]


def test_tls_makes_an_open_listener_right(sound: Path) -> None:
    open_conf = CONF.replace("127.0.0.1:1883", "0.0.0.0:1883")
    (sound / "nats.conf").write_text(open_conf + "tls { cert_file: x, key_file: y }\n")
    assert weak(sound) == []


def test_strict_refuses_what_is_weak(sound: Path, engine: Engine) -> None:
    quiet = Console(quiet=True)
    assert run_check(sound, strict=True, console=quiet) == 0
    one_time(sound, engine)
    assert run_check(sound, strict=False, console=quiet) == 0
    assert run_check(sound, strict=True, console=quiet) == 1
    open_secrets(sound, engine)
    assert run_check(sound, strict=False, console=quiet) == 1


def test_an_empty_directory_and_a_file_that_is_no_database(tmp_path: Path) -> None:
    assert [(level, subject) for level, subject, _ in weak(tmp_path)] == [(Level.BAD, "database")]
    (tmp_path / DATABASE_NAME).write_bytes(b"no database at all" * 100)
    assert (Level.BAD, "database") in [(level, subject) for level, subject, _ in weak(tmp_path)]
