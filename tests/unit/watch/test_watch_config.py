"""``watch.toml``: what it says, and what is said of mistakes."""

from pathlib import Path

import pytest

from gateway.config import SettingsError
from gateway.watch.config import load_watch

KEY = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
GOOD = '[channel.oncall]\nvia = "webhook"\nurl = "https://example.org/hook"\nsecret_file = "hook.key"\n'


def test_without_a_file_it_has_no_channel(tmp_path: Path) -> None:
    settings, _ = load_watch(tmp_path)
    assert settings.channel == {}
    assert settings.patience <= 25, "two rounds more, and it is told within 30 s"


def test_a_channel_with_its_secret(tmp_path: Path) -> None:
    (tmp_path / "watch.toml").write_text(GOOD)
    (tmp_path / "hook.key").write_text(KEY + "\n")
    settings, secrets = load_watch(tmp_path)
    assert list(settings.channel) == ["oncall"] == list(secrets.keys)
    assert KEY not in repr(secrets)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patience = 60", "patience"),
        ("patiense = 10", "patiense"),
        ("[channel", "watch.toml"),
        (GOOD.replace("https", "ftp"), "channel.oncall.url"),
        (GOOD.replace("hook.key", "none.key"), "channel.oncall.secret_file"),
        ('[channel.sms]\nurl_file = "none"', "channel.sms.url_file"),
    ],
)
def test_a_mistake_is_named_and_no_secret_with_it(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "watch.toml").write_text(text)
    (tmp_path / "hook.key").write_text(KEY)
    with pytest.raises(SettingsError, match=said) as error:
        load_watch(tmp_path)
    assert "watch.toml" in str(error.value)
    assert KEY not in str(error.value)
