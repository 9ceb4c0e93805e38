"""The settings file: what is wrong with it is said, and where."""

from pathlib import Path

import msgspec
import pytest

from gateway.config import Settings, SettingsError, load_settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[retention]\ndays = 3650\n", r"retention\.days: no such key, expected one of waveform_days, numeric_days"),
        ("[retentoin]\nwaveform_days = 1\n", r"retentoin: no such key, expected one of http, broker, retention"),
        ("[broker]\ntls = true\n", r"broker\.tls: no such key"),
        ("[retention]\nbytes = 'many'\n", r"retention\.bytes: expected `int`, got `str`"),
        ("[http]\nport = 1\nport = 2\n", r"lastmile\.toml: .*line 3"),
        ("http", r"lastmile\.toml: Expected '='"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "lastmile.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as raised:
        load_settings(tmp_path)
    assert str(raised.value).startswith(f"{path}: ")


def test_no_table_takes_a_key_it_does_not_know() -> None:
    for field in msgspec.structs.fields(Settings):
        assert field.type.__struct_config__.forbid_unknown_fields, field.name


def test_the_settings_in_the_manual_are_settings(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    example = manual.partition("```toml\n[http]")[2].partition("```")[0]
    (tmp_path / "lastmile.toml").write_text("[http]" + example)
    assert load_settings(tmp_path).retention == Settings().retention, "the example shows the defaults"
