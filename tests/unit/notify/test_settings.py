"""notify.toml: every error names the file, the key and what was expected, and none quotes a secret."""

import tomllib
from pathlib import Path

import pytest

from gateway.adapters.notify.channels import build_senders
from gateway.adapters.notify.settings import NotifySettings, Purpose, load_notify, load_secrets
from gateway.config import SettingsError

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROBOT = "wecombot://1e1f0c94-secret-secret-secret-2f4a"
GOOD = """
language = "en"
link = "https://lastmile.hospital.example"
[channel.pbx]
purpose = "call"
via = "webhook"
url = "https://pbx.example/calls"
secret_file = "pbx.key"
[channel.texts]
purpose = "sms"
url_file = "texts.url"
[channel.ward]
purpose = "group"
url_file = "ward.url"
per_minute = 10
sites = ["north"]
[account."nurse.wang"]
phone = "13800000001"
[role.family]
phone = "13900000003"
[[quiet]]
start = "22:00"
end = "07:00"
purposes = ["group"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pbx.key").write_text(KEY + "\n")
    (tmp_path / "texts.url").write_text("jsons://token-of-sms@sms.example/send?:to={address}\n")
    (tmp_path / "ward.url").write_text(ROBOT)
    return tmp_path


def loaded(folder: Path, text: str) -> NotifySettings:
    (folder / "notify.toml").write_text(text, encoding="utf-8")
    return load_notify(folder)


def test_without_a_file_there_are_screens_only(tmp_path: Path) -> None:
    assert load_notify(tmp_path) == NotifySettings()


def test_a_whole_file(folder: Path) -> None:
    settings = loaded(folder, GOOD)
    assert {name: channel.purpose for name, channel in settings.channel.items()} == {
        "pbx": Purpose.CALL, "texts": Purpose.SMS, "ward": Purpose.GROUP,
    }  # fmt: skip
    assert settings.account["nurse.wang"].phone == "13800000001"
    assert set(build_senders(folder, settings)) == {"pbx", "texts", "ward"}


def test_secrets_do_not_print_themselves(folder: Path) -> None:
    settings = loaded(folder, GOOD)
    shown = f"{load_secrets(folder, settings)!r} {settings!r}"
    assert "whsec" not in shown
    assert "MfKQ" not in shown
    assert "secret-secret" not in shown


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (("language", "langauge"), "langauge", "unknown field"),
        (('"en"', '"fr"'), "language", "fr"),
        (('"https://lastmile', '"ftp://lastmile'), "link", "http://"),
        (('purpose = "sms"', 'purpose = "telegram"'), "channel.texts.purpose", "telegram"),
        (('purpose = "sms"', ""), "channel.texts", "purpose"),
        (("per_minute = 10", "per_minute = 21"), "channel.ward.per_minute", "20"),
        (("per_minute = 10", 'per_minute = "a"'), "channel.ward.per_minute", "int"),
        (("per_minute = 10", "rate = 10"), "channel.ward", "rate"),
        (("[channel.ward]", "[channel.screen]"), "channel.screen", "another name"),
        (('url = "https://pbx', 'url = "pbx'), "channel.pbx.url", "http://"),
        (('secret_file = "pbx.key"', ""), "channel.pbx.secret_file", "a file"),
        (('"pbx.key"', '"missing.key"'), "channel.pbx.secret_file", "missing.key"),
        (('url_file = "ward.url"', 'url_file = "missing.url"'), "channel.ward.url_file", "missing.url"),
        (('url_file = "ward.url"', 'url = "wecombot://x"'), "channel.ward.url_file", "a file"),
        (('url_file = "texts.url"', 'url_file = "ward.url"'), "channel.texts.url_file", "{address}"),
        (('url_file = "ward.url"', 'url_file = "texts.url"'), "channel.ward.url_file", "without {address}"),
        (('url_file = "texts.url"', 'url_file = "texts.url"\nsites = ["north"]'), "channel.texts.sites", "nothing"),
        (("phone = \"13800000001\"", "phone = 138"), "account.nurse.wang.phone", "str"),
        (('"22:00"', '"25:00"'), "quiet[0].start", "regex"),
        (('"07:00"', '"22:00"'), "quiet[0].end", "another time"),
        (('purposes = ["group"]', 'purposes = ["group"]\npriorities = ["high"]'), "quiet[0].priorities", "never waits"),
        (('language = "en"', 'timezone = "Mars/Olympus"'), "timezone", "Mars/Olympus"),
    ],
)  # fmt: skip
def test_errors_name_file_key_and_what_was_expected(
    folder: Path, change: tuple[str, str], key: str, expected: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(SettingsError) as caught:
        loaded(folder, GOOD.replace(change[0], change[1], 1))
    text = str(caught.value)
    assert text.startswith(f"{folder / 'notify.toml'}: ")
    assert key in text
    assert expected in text


@pytest.mark.parametrize(
    "content", ["whsec_short", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!notbase64!!", "whsec_AAAA"]
)
def test_a_bad_key_is_not_quoted(folder: Path, content: str) -> None:
    (folder / "pbx.key").write_text(content)
    with pytest.raises(SettingsError, match=r"channel\.pbx\.secret_file: expected whsec_") as caught:
        loaded(folder, GOOD)
    assert content not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_url_apprise_does_not_know_is_not_quoted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "ward.url").write_text("wecombot://")
    settings = loaded(folder, GOOD)
    with pytest.raises(SettingsError, match=r"channel\.ward\.url_file: expected a URL"):
        build_senders(folder, settings)
    (folder / "ward.url").write_text("wecombots://no-such-thing-as-this")
    with pytest.raises(SettingsError) as caught:
        build_senders(folder, settings)
    assert "no-such-thing" not in str(caught.value) + caplog.text


def test_not_toml(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"notify\.toml: "):
        loaded(folder, "language =")


EXAMPLE_SECRETS = {
    "voice.key": KEY,
    "sms.url": "jsons://sms.example/send?:to={address}",
    "app.url": "json://app/{address}",
    "mail.url": "mailtos://lastmile:secret@mail.example?to={address}",
    "ward.url": ROBOT,
    "board.key": KEY,
}


def test_the_example_in_the_documents_is_a_whole_file(folder: Path) -> None:
    text = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")
    example = text.partition("<!-- notify.toml -->\n```toml\n")[2].partition("```")[0]
    assert tomllib.loads(example)["channel"]
    (folder / "secrets").mkdir()
    for name, content in EXAMPLE_SECRETS.items():
        (folder / "secrets" / name).write_text(content)
    assert set(build_senders(folder, loaded(folder, example))) == set(tomllib.loads(example)["channel"])
