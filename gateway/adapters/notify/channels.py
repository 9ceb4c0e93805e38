"""The notifier out of its settings. What a channel needs is imported for it: apprise costs a quarter of a second."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.adapters import clock
from gateway.adapters.notify.sending import Sender
from gateway.adapters.notify.settings import NAME, NotifySettings, Secrets, Via, load_notify, load_secrets
from gateway.adapters.notify.worker import Notifier
from gateway.config import SettingsError
from gateway.ports import LiveFeed, Writer


def build_notifier(data: Path, writer: Writer, feed: LiveFeed, metrics: CollectorRegistry) -> Notifier:
    """The notifier of a data directory.

    Raises:
        SettingsError: ``notify.toml`` or a file it names cannot be used.
    """
    settings = load_notify(data)
    senders = build_senders(data, settings)
    return Notifier(writer=writer, settings=settings, senders=senders, feed=feed, clock=clock.now, metrics=metrics)


def build_senders(data: Path, settings: NotifySettings) -> dict[str, Sender]:
    """One for each channel of ``notify.toml``.

    Raises:
        SettingsError: apprise cannot use a channel's URL; names the key, not the URL.
    """
    secrets = load_secrets(data, settings)
    return {name: _sender(data, name, settings, secrets) for name in settings.channel}


def _sender(data: Path, name: str, settings: NotifySettings, secrets: Secrets) -> Sender:
    channel = settings.channel[name]
    if channel.via is Via.WEBHOOK:
        from gateway.adapters.notify.webhook import WebhookChannel

        return WebhookChannel(channel.url, secrets.keys[name])
    from gateway.adapters.notify.apprise_channel import AppriseChannel, usable

    if not usable(secrets.urls[name]):
        raise SettingsError(f"{data / NAME}: channel.{name}.url_file: expected a URL that apprise knows")
    return AppriseChannel(secrets.urls[name])
